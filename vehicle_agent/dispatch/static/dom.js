// Elements are made from text only: nothing that arrives is ever read as markup (H30).

export const find = (id) => document.getElementById(id);

// An element with a class and children; text children become text nodes.
export function make(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  for (const child of children.flat()) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
  return element;
}

// Show `rows` in `list`, one element each, in this order. An element is made anew only when its row or the language
// changed, so that a press is never lost because the button under it was replaced.
export function fill(list, rows, keyOf, build, language) {
  const kept = new Map([...list.children].map((child) => [child.dataset.key, child]));
  let place = list.firstElementChild;
  for (const row of rows) {
    const key = String(keyOf(row));
    const content = language + JSON.stringify(row);
    let element = kept.get(key);
    kept.delete(key);
    if (!element || element.shownContent !== content) {
      const fresh = build(row);
      fresh.dataset.key = key;
      fresh.shownContent = content;
      if (element) {
        if (place === element) place = fresh;
        element.replaceWith(fresh);
      }
      element = fresh;
    }
    if (element === place) place = place.nextElementSibling;
    else list.insertBefore(element, place);
  }
  for (const element of kept.values()) element.remove();
}
