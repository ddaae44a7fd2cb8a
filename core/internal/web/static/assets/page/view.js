// What the page scripts do to the page. Text only ever goes in as text.

/** The one element with this id. */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`no element ${id}`);
  return found;
}

/** Writes text, and leaves the page alone when it is there already. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Fills every place marked data-fill="name" below root with values[name]. */
export function fill(root, values) {
  for (const place of root.querySelectorAll('[data-fill]')) {
    const value = values[place.dataset.fill];
    if (value !== undefined) write(place, value ?? '');
  }
}

/** Shows or hides an element. */
export function toggle(element, visible) {
  if (element.hidden === visible) element.hidden = !visible;
}

/** Which view is shown. */
export function shown() {
  return document.body.dataset.shown;
}

/**
 * Shows the view of this name and hides the others. But for the first one its
 * heading gets the focus, so that whoever cannot see the change hears it.
 */
export function show(name) {
  if (shown() === name) return;
  for (const view of document.querySelectorAll('[data-view]')) toggle(view, view.dataset.view === name);
  document.body.dataset.shown = name;
  if (name === 'loading') return;
  if (document.body.dataset.settled) document.querySelector(`[data-view="${name}"] [tabindex="-1"]`)?.focus();
  document.body.dataset.settled = 'true';
}

/** Shows a problem in the element that is there for it; null clears it. */
export function complain(element, problem) {
  toggle(element, problem !== null);
  if (problem === null) {
    element.replaceChildren();
    return;
  }
  const sentence = document.createElement('p');
  sentence.textContent = problem.hint ? `${closed(problem.message)} ${problem.hint}` : problem.message;
  const parts = [sentence];
  if (problem.reference) {
    const reference = document.createElement('p');
    reference.className = 'reference';
    reference.textContent = `Reference ${problem.reference}`;
    parts.push(reference);
  }
  element.replaceChildren(...parts);
}

function closed(sentence) {
  return /[.!?]$/.test(sentence) ? sentence : `${sentence}.`;
}

/** Copies a template's only element. */
export function stamp(id) {
  return byId(id).content.firstElementChild.cloneNode(true);
}

/** Keeps a button from being pressed again while work is under way. */
export async function busy(button, work) {
  if (button.getAttribute('aria-disabled') === 'true') return;
  button.setAttribute('aria-disabled', 'true');
  try {
    await work();
  } finally {
    button.removeAttribute('aria-disabled');
  }
}

/**
 * Makes the children of a list match items in number and order. Elements are
 * kept by key, so that focus and open details survive an update.
 */
export function reconcile(list, items, { key, create, update }) {
  const existing = new Map([...list.children].map((child) => [child.dataset.key, child]));
  let place = list.firstElementChild;
  for (const item of items) {
    const id = key(item);
    let element = existing.get(id);
    existing.delete(id);
    if (!element) {
      element = create(item);
      element.dataset.key = id;
    }
    update(element, item);
    if (element === place) place = place.nextElementSibling;
    else list.insertBefore(element, place);
  }
  for (const left of existing.values()) left.remove();
}
