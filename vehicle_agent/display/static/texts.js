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
  try {
    localStorage.setItem("language", language);
  } catch {
    // a kiosk without storage starts in the configured language
  }
}

export function savedLanguage() {
  try {
    return localStorage.getItem("language");
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

export function alarm(entry) {
  const key = `cause.${entry.code}`;
  return {
    cause: has(key) ? t(key, params(entry.item)) : entry.code,
    consequence: has(key) ? t(`consequence.${entry.code}`, params(entry.item)) : "",
    action: has(key) ? t(`action.${entry.code}`, params(entry.item)) : "",
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

export function day(isoDate) {
  return isoDate.split("-").reverse().join(".");
}
