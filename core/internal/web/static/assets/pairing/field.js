// The field for the number, on whichever page it stands.

import { Problem } from '../page/api.js';
import { spacedPIN } from '../page/words.js';
import { digits } from './pin.js';

/** Shows what is typed or pasted as "481 920". */
export function pinField(input) {
  input.addEventListener('input', () => {
    // In the middle of the text the caret would jump.
    if (input.selectionStart === input.value.length) input.value = spacedPIN(digits(input.value));
  });
}

/** What to say about a number that is too short. */
export function incomplete() {
  return new Problem({ error: 'The number has six digits.', code: 'invalid' });
}
