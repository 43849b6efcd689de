// Every word on the page, in the chosen language; a missing word shows its code, never nothing.

let catalogue = {};
export let language = "";
export const LANGUAGES = { kk: "Қаз", ru: "Рус", en: "Eng" };

export async function choose(name) {
  const answer = await fetch(`/static/texts/${name}.json`);
  if (!answer.ok) throw new Error(`texts: ${answer.status}`);
  catalogue = await answer.json();
  language = name;
  document.documentElement.lang = name;
  document.title = text("title");
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = text(element.dataset.text);
}

const put = (pattern, values) => pattern.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));

// A word of a group of the shared catalogue.
export const word = (group, code, values = {}) => put(catalogue[group]?.[code] ?? String(code), values);

// A word of the desk's own.
export const text = (code, values = {}) => word("desk", code, values);

// The name of an equipment or a checklist row.
export function item(code) {
  const cell = /^cell_lock_(\d+)$/.exec(code);
  return cell ? word("item", "cell_lock_N", { n: cell[1] }) : word("item", code);
}

// What an alarm is about.
export function alarm(code, about) {
  const number = /(\d+)$/.exec(about ?? "");
  return word("cause", code, { item: about ? item(about) : "", n: number ? number[1] : "", unit: about ?? "" });
}
