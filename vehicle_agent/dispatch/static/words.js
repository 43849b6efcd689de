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
  return items([code])[0];
}

// Names of several; those that differ by their number only become one, "Door and lock, cell 1, 2, 5".
function items(codes) {
  const kinds = new Map();
  for (const code of codes) {
    const [, kind, number] = /^(cell(?:_lock|_call|_temperature)?)_(\d+)$/.exec(code) ?? [];
    kinds.set(kind ?? code, [...(kinds.get(kind ?? code) ?? []), ...(number ? [number] : [])]);
  }
  return [...kinds].map(([kind, numbers]) => {
    if (numbers.length === 0) return catalogue.item?.[kind] ?? catalogue.panel?.[kind] ?? kind;
    return kind === "cell" ? word("display", "cell", { n: listed(numbers) }) : word("item", `${kind}_N`, { n: listed(numbers) });
  });
}

const listed = (numbers) => [...new Set(numbers.map(Number))].sort((a, b) => a - b).join(", ");

// What an alarm is about, on all its items.
export function alarm(code, codes) {
  const numbers = codes.map((one) => /(\d+)$/.exec(one)?.[1]).filter(Boolean);
  const group = codes.length > 1 && catalogue.cause_many?.[code] !== undefined ? "cause_many" : "cause";
  return word(group, code, { item: items(codes).join("; "), n: listed(numbers), unit: codes.join(", ") });
}
