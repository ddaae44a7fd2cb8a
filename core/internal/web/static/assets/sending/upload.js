// One file on its way to the gateway.

import { parse, problemFrom, unreachable } from '../page/api.js';

// Larger files are not read a second time to check them here: the browser could
// only hash them whole in memory. Their size is still compared.
const HASHED_HERE = 64 << 20; // bytes

/**
 * Sends the file and returns {stored, hash}: what the gateway keeps, and the
 * file's own SHA-256 or null. onProgress gets the bytes that have left.
 */
export async function upload(file, { onProgress, signal }) {
  const [stored, hash] = await Promise.all([post(file, onProgress, signal), digest(file)]);
  return { stored, hash };
}

// fetch cannot say how much of a body has left; XMLHttpRequest can.
function post(file, onProgress, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', `/media/upload?filename=${encodeURIComponent(file.name || 'Untitled')}`);
    request.setRequestHeader('Accept', 'application/json');
    request.setRequestHeader('Content-Type', file.type || 'application/octet-stream');
    request.upload.addEventListener('progress', (event) => onProgress(event.loaded));
    request.addEventListener('load', () => {
      const answer = parse(request.responseText);
      if (request.status !== 201) reject(problemFrom(request.status, answer));
      else resolve(answer?.items?.[0] ?? null);
    });
    request.addEventListener('error', () => reject(unreachable()));
    request.addEventListener('abort', () => reject(unreachable()));
    signal.addEventListener('abort', () => request.abort());
    request.send(file);
  });
}

async function digest(file) {
  if (file.size > HASHED_HERE || !globalThis.crypto?.subtle) return null;
  try {
    const sum = await crypto.subtle.digest('SHA-256', await file.arrayBuffer());
    return Array.from(new Uint8Array(sum), (byte) => byte.toString(16).padStart(2, '0')).join('');
  } catch {
    return null; // the file cannot be read twice; the gateway's answer still says its size
  }
}
