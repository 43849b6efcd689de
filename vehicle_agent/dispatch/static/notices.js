// Departure, arrival and correction notices (Rule 19): those that wait for a person on top, the others below.

import { fill, find, make } from "/static/dom.js";
import { moment, place, span } from "/static/format.js";
import { item, language, text, word } from "/static/words.js";

const LATE_AFTER_S = 60; // the first sending of a notice in good order takes seconds
const CONFIRMED_WITHIN_MS = 120000; // the vehicle, too, asks for the radio after this
const CONFIRMED = new Set(["received", "acknowledged", "told_by_radio"]);

const rows = new Map();

// Take rows of the stream; returns those that wait and were not shown before.
export function take({ reset, rows: given }) {
  const before = reset ? new Map(rows) : rows;
  const fresh = given.filter((row) => row.stage === "received" && !before.has(row.id));
  if (reset) rows.clear();
  for (const row of given) rows.set(row.id, row);
  return fresh;
}

export const waiting = () => [...rows.values()].filter((row) => row.stage === "received").length;

const order = (row) => `${row.received_at}${String(row.recipient_sequence).padStart(16, "0")}`;

// `now_ms` is the desk's own time; null before its first tick.
export function draw(onAcknowledge, now_ms) {
  const newest = [...rows.values()].sort((a, b) => (order(a) < order(b) ? 1 : -1));
  const corrections = new Map([...newest].reverse().filter((row) => row.corrects).map((row) => [row.corrects, row]));
  const shown = newest.map((row) => ({
    ...row,
    corrected: corrections.get(row.id) ?? null,
    isOverdue: now_ms !== null && now_ms - Date.parse(row.received_at) > CONFIRMED_WITHIN_MS,
  }));
  const open = shown.filter((row) => row.stage === "received");
  const done = shown.filter((row) => row.stage !== "received");
  const build = (row) => card(row, onAcknowledge);
  fill(find("open"), open, (row) => row.id, build, language);
  fill(find("done"), done, (row) => row.id, build, language);
  find("open-count").textContent = open.length || "";
  find("no-open").hidden = open.length > 0;
  find("no-done").hidden = done.length > 0;
}

const fact = (name, ...value) => make("p", "fact", make("span", "", text(name)), " ", ...value);

function card(row, onAcknowledge) {
  const isOpen = row.stage === "received";
  const head = make("header", "",
    make("h3", "", word("notice", row.kind)),
    row.test && make("span", "badge test", text("test")),
    make("b", "vehicle", row.vehicle),
    make("span", "quiet", text("number", { n: row.recipient_sequence })));
  const element = make("article", isOpen ? "notice open" : "notice", head, times(row), journey(row), others(row), doubts(row));
  if (isOpen) {
    const button = make("button", "primary", text("acknowledge_short"));
    button.type = "button";
    button.addEventListener("click", () => onAcknowledge(row));
    element.append(button);
  } else {
    const who = [row.by, row.post].filter(Boolean).join(", ");
    element.append(fact("acknowledged_by", make("b", "", who), ` ${moment(row.acknowledged_at)}`));
  }
  return element;
}

function times(row) {
  const departed = make("b", row.is_time_uncertain ? "time doubt" : "time", moment(row.departed_at));
  return make("div", "facts",
    fact("departed", departed),
    row.arrived_at && fact("arrived", make("b", "time", moment(row.arrived_at))),
    fact("recipient", make("b", "", row.unit)),
    fact("received_at", moment(row.received_at)));
}

function journey(row) {
  const stops = [row.origin, ...(row.intermediate ?? []), row.destination];
  const line = make("p", "journey");
  stops.forEach((stop, index) => {
    if (index) line.append(make("span", "arrow", "→"));
    const name = stop ?? text("no_unit_there");
    line.append(make("span", stop === row.unit ? "stop own" : stop ? "stop" : "stop quiet", name));
  });
  return line;
}

// The sending unit sees how far the same notice has come everywhere else.
function others(row) {
  const list = make("ul", "others", row.recipients.map((one) => {
    const isOpen = !CONFIRMED.has(one.stage);
    const who = [one.by, one.post].filter(Boolean).join(", ");
    const stage = one.stage ? word("stage", one.stage) : text("not_told");
    const late = isOpen && row.isOverdue ? make("span", "mark late", text("unconfirmed")) : null;
    return make("li", "", make("b", "", one.unit), ` ${stage}${who ? ` (${who})` : ""}`, late);
  }));
  list.prepend(make("li", "quiet", text("others")));
  list.hidden = row.recipients.length === 0;
  return list;
}

// Everything that is not as it should be, each in words.
function doubts(row) {
  const found = [];
  if (row.late_by_s >= LATE_AFTER_S) found.push(["late", text("late_by", { t: span(row.late_by_s) })]);
  if (row.is_time_uncertain) found.push(["uncertain", `${text("time_uncertain")}: ${certainty(row)}`]);
  if (row.corrects) found.push(["note", text("corrects")]);
  if (row.corrected) found.push(["late", text("corrected", { t: moment(row.corrected.departed_at) })]);
  if (!row.secured) found.push(["grave", text("unsecured")]);
  else if (!row.checks.all_passed) found.push(["grave", text("not_all_passed")]);
  if (row.checks.fallbacks.length) {
    found.push(["late", text("fallbacks", { list: row.checks.fallbacks.map(item).join(", ") })]);
  }
  const list = make("ul", "doubts", found.map(([kind, words]) => make("li", kind, words)));
  list.hidden = found.length === 0;
  return list;
}

function certainty(row) {
  if (row.time_source === "none" || row.time_uncertainty_s === null) return text("clock_none");
  return text("clock_within", { t: span(row.time_uncertainty_s) });
}

// What the dialog says about the notice that is to be acknowledged.
export function summary(row) {
  const where = row.position ? ` · ${place(row.position)}` : "";
  return `${word("notice", row.kind)} · ${row.vehicle} · ${moment(row.departed_at)} · ${row.unit}${where}`;
}
