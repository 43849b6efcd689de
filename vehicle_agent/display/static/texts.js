// Words on the screen, by code; the same catalogue that control uses.

export const LANGUAGES = ["kk", "ru", "en"];
const catalogues = {};
let units = new Map();
let language = "kk";

export async function loadTexts(unitList) {
  units = new Map(unitList.map((unit) => [unit.code, unit.name]));
  await Promise.all(
    LANGUAGES.map(async (lang) => {
      catalogues[lang] = await (await fetch(`/static/texts/${lang}.json`)).json();
    }),
  );
}

export function currentLanguage() {
  return language;
}

export function setLanguage(lang) {
  language = LANGUAGES.includes(lang) ? lang : "kk";
  document.documentElement.lang = language;
  keep("language", language);
}

export function savedLanguage() {
  return kept("language");
}

// What this computer remembers until the kiosk is started anew; nothing where a browser has no storage.
export function keep(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // then it starts as configured
  }
}

export function kept(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

function fill(text, params) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => (params[name] === undefined ? whole : String(params[name])));
}

function find(group, code) {
  return catalogues[language]?.[group]?.[code];
}

// The text of "group.code"; a missing one shows its key, so that nothing on the screen is silently empty.
export function t(key, params = {}) {
  const dot = key.indexOf(".");
  const text = find(key.slice(0, dot), key.slice(dot + 1));
  return text === undefined ? key : fill(text, params);
}

export function has(key) {
  const dot = key.indexOf(".");
  return find(key.slice(0, dot), key.slice(dot + 1)) !== undefined;
}

export function unitName(code) {
  if (!code) return "";
  return units.get(code)?.[language] ?? units.get(code)?.ru ?? code;
}

export function unitCodes() {
  return [...units.keys()];
}

export function label(item) {
  const numbered = /^cell(_lock|_call|_temperature)?_(\d+)$/.exec(item);
  if (numbered) return numbered[1] ? t(`item.cell${numbered[1]}_N`, { n: numbered[2] }) : t("display.cell", { n: numbered[2] });
  return find("item", item) ?? find("panel", item) ?? unitName(item);
}

export function sentence(item) {
  return find("sentence", item.startsWith("cell_lock_") ? "cell_lock_N" : item) ?? "";
}

export function part(code, trip) {
  let key = code;
  if (code === "list" && trip.to_court) key = "list_to_court";
  if (code === "files" && trip.kind === "outside_settlement") key = "files_outside";
  return t(`part.${key}`);
}

// Names of several items: those that differ by their number only become one, "Door and lock, cell 1, 2, 5".
function names(items) {
  const kinds = new Map();
  for (const item of items) {
    const [, kind, number] = /^(cell(?:_lock|_call|_temperature)?)_(\d+)$/.exec(item) ?? [];
    kinds.set(kind ?? item, [...(kinds.get(kind ?? item) ?? []), ...(number ? [Number(number)] : [])]);
  }
  return [...kinds].map(([kind, numbers]) => (numbers.length === 0 ? label(kind) : t(kind === "cell" ? "display.cell" : `item.${kind}_N`, { n: listed(numbers) })));
}

const listed = (numbers) => [...new Set(numbers)].sort((a, b) => a - b).join(", ");

function short(list, most, separator) {
  return list.slice(0, most).join(separator) + (list.length > most ? ` +${list.length - most}` : "");
}

function params(item) {
  if (!item) return {};
  const digits = /(\d+)$/.exec(item);
  return { item: label(item), unit: unitName(item), ...(digits ? { n: digits[1] } : {}) };
}

export function rule(number) {
  if (!number) return "";
  const appendix = /^App\. (\d+)$/.exec(number);
  return appendix ? t("word.appendix", { m: appendix[1] }) : t("word.rule", { m: number });
}

export function refusal(reason) {
  const key = `refusal.${reason.code}`;
  return has(key) ? t(key, params(reason.item)) : reason.text || reason.code;
}

// Cause, consequence and action of one alarm code on all its items; at most `most` names of items in the cause.
export function alarm(code, items, most = items.length) {
  if (!has(`cause.${code}`)) return { cause: [code, ...items].join(" "), consequence: "", action: "" };
  const numbers = items.map((item) => /(\d+)$/.exec(item)?.[1]).filter(Boolean).map(Number);
  const filled = {
    ...(items.length > 0 ? { item: short(names(items), most, "; "), unit: short(items.map(unitName), most, ", ") } : {}),
    ...(numbers.length > 0 ? { n: listed(numbers) } : {}),
  };
  const many = items.length > 1 && has(`cause_many.${code}`);
  return {
    cause: t(`${many ? "cause_many" : "cause"}.${code}`, filled),
    consequence: t(`consequence.${code}`, filled),
    action: t(`action.${code}`, filled),
  };
}

// One fixed form in every language, by the Republic's time (UTC+5), so that records match.
export function time(iso, withDate = false) {
  const at = new Date(Date.parse(iso) + 5 * 3600 * 1000);
  if (Number.isNaN(at.getTime())) return "—";
  const two = (number) => String(number).padStart(2, "0");
  const clock = `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())}`;
  return withDate ? `${two(at.getUTCDate())}.${two(at.getUTCMonth() + 1)}.${at.getUTCFullYear()} ${clock}` : clock;
}

// "24,5" in Kazakh and Russian, "24.5" in English; a minus that is as wide as a digit.
export function decimal(number) {
  const text = number.toFixed(1).replace("-", "−");
  return language === "en" ? text : text.replace(".", ",");
}

export function day(isoDate) {
  return isoDate.split("-").reverse().join(".");
}
