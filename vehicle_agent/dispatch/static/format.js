// Times, ages and places, in one fixed form in all languages.

import { text } from "/static/words.js";

// All of Kazakhstan has kept UTC+5 since 1 March 2024; the browser's own table of time zones may be older than that.
const OFFSET_MS = 5 * 3600 * 1000;

const two = (number) => String(number).padStart(2, "0");

// "22.11.2026 13:00:05" at UTC+5, or the given text where it is no time.
export function moment(value) {
  const ms = typeof value === "number" ? value : Date.parse(value ?? "");
  if (Number.isNaN(ms)) return value === null || value === undefined ? "—" : String(value);
  const at = new Date(ms + OFFSET_MS);
  const day = `${two(at.getUTCDate())}.${two(at.getUTCMonth() + 1)}.${at.getUTCFullYear()}`;
  return `${day} ${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())}`;
}

// "45 s", "12 min", "3 h 5 min", "2 d 4 h".
export function span(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return text("unit.s", { n: s });
  if (s < 3600) return text("unit.min", { n: Math.floor(s / 60) });
  const [big, small, parts] = s < 86400 ? ["unit.h", "unit.min", [3600, 60]] : ["unit.d", "unit.h", [86400, 3600]];
  const rest = Math.floor((s % parts[0]) / parts[1]);
  const head = text(big, { n: Math.floor(s / parts[0]) });
  return rest ? `${head} ${text(small, { n: rest })}` : head;
}

// "43.2500° N 76.9200° E"
export function place(fix) {
  const side = (value, plus, minus) => `${Math.abs(value).toFixed(4)}° ${value < 0 ? minus : plus}`;
  return `${side(fix.latitude_deg, "N", "S")} ${side(fix.longitude_deg, "E", "W")}`;
}
