// Refused messages, conflicts and gaps: what a person has not seen is in colour, the rest is one grey line.

import { fill, find, make } from "/static/dom.js";
import { moment } from "/static/format.js";
import { language, text } from "/static/words.js";

const GRAVE = new Set(["fork", "gap", "register_damaged", "bad_signature", "mismatch"]);
let rows = [];
let isOpen = false;

// Take rows of the stream; returns the conflicts and gaps that nobody has seen yet and that were not shown before.
export function take({ rows: given }) {
  const known = new Set(rows.filter((row) => !row.seen).map((row) => row.key));
  rows = given;
  return rows.filter((row) => !row.seen && (row.reason === "fork" || row.reason === "gap") && !known.has(row.key));
}

export function draw(onSeen) {
  const rank = (row) => (row.reason === "fork" ? 0 : GRAVE.has(row.reason) ? 1 : 2);
  const fresh = rows.filter((row) => !row.seen).sort((a, b) => rank(a) - rank(b));
  const seen = rows.filter((row) => row.seen);
  const shown = fresh.map((row) => ({ ...row, as: "fresh" }));
  if (seen.length) shown.push({ key: "seen", as: "summary", count: seen.length, isOpen });
  if (isOpen) shown.push(...seen.map((row) => ({ ...row, as: "seen" })));
  const build = (row) => (row.as === "summary" ? summary(row, onSeen) : line(row, onSeen));
  fill(find("warnings"), shown, (row) => `${row.as}:${row.key}`, build, language);
}

function summary(row, onSeen) {
  const button = make("button", "plain", `${row.isOpen ? "▾" : "▸"} ${text("seen_list", { n: row.count })}`);
  button.type = "button";
  button.addEventListener("click", () => {
    isOpen = !isOpen;
    draw(onSeen);
  });
  return make("li", "seen", button);
}

function line(row, onSeen) {
  const isGrave = GRAVE.has(row.reason);
  const range = row.first === row.last ? row.first : `${row.first}–${row.last}`;
  const about = [row.vehicle, row.unit].filter(Boolean).join(" → ");
  const count = row.reason !== "gap" && row.count > 1 ? text("times", { n: row.count }) : "";
  const element = make("li", row.as === "seen" ? "seen" : isGrave ? "grave" : "minor",
    make("span", "sign", isGrave ? "■" : "▲"),
    make("p", "", make("b", "", text(`reason.${row.reason}`, { range })),
      make("span", "about", [about, count, moment(row.last_at)].filter(Boolean).join(" · ")),
      row.detail ? make("span", "detail", row.detail) : null));
  if (row.as === "seen") {
    const who = [row.seen.by, row.seen.post].filter(Boolean).join(", ");
    element.lastChild.append(make("span", "about", text("seen_by", { by: who })));
    return element;
  }
  const button = make("button", "", text("seen"));
  button.type = "button";
  button.addEventListener("click", () => onSeen(row));
  element.append(button);
  return element;
}
