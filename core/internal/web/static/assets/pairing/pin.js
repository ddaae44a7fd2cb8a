// The number that a person types. Nothing here touches the page.

/** How many digits it has. */
export const LENGTH = 6;

/**
 * The digits in what was typed or pasted, at most six. Digits of other scripts
 * and widths count; spaces and dashes do not.
 */
export function digits(text) {
  return [...text.normalize('NFKC')].map(digit).join('').slice(0, LENGTH);
}

// Unicode lays the digits of each script out in a row of ten that starts at a
// character whose neighbour below is no digit.
function digit(character) {
  if (/^[0-9]$/.test(character)) return character;
  if (!/^\p{Nd}$/u.test(character)) return '';
  const point = character.codePointAt(0);
  let zero = point;
  while (point - zero < 9 && /^\p{Nd}$/u.test(String.fromCodePoint(zero - 1))) zero -= 1;
  return String(point - zero);
}

/** Whether the number is complete. */
export function complete(text) {
  return digits(text).length === LENGTH;
}
