// Alarms of the vehicles: one line for each vehicle and cause, the log of what came and went, and the flood (ISA-18.2).

import { fill, find, make } from "/static/dom.js";
import { moment } from "/static/format.js";
import { alarm, language, text, word } from "/static/words.js";

const PRIORITIES = ["critical", "warning", "advisory"];
const STATES = ["unacknowledged", "returned", "acknowledged"];
const SIGNS = { critical: "■", warning: "▲", advisory: "●" };
const HOLLOW = { critical: "□", warning: "△", advisory: "○" }; // the cause has gone, and nobody in the cab has seen it

// One vehicle's alarms by cause, the gravest first: [{code, priority, state, items}].
export function causes(alarms) {
  const byCode = new Map();
  for (const one of alarms) byCode.set(one.code, [...(byCode.get(one.code) ?? []), one]);
  const made = [...byCode].map(([code, entries]) => ({
    code,
    priority: PRIORITIES.find((priority) => entries.some((one) => one.priority === priority)) ?? "warning",
    state: STATES.find((state) => entries.some((one) => one.state === state)) ?? "unacknowledged",
    entries,
  }));
  return made.sort((a, b) => PRIORITIES.indexOf(a.priority) - PRIORITIES.indexOf(b.priority) || STATES.indexOf(a.state) - STATES.indexOf(b.state));
}

const stateWord = (state) => (state === "returned" ? word("display", "returned_unseen") : word("alarm_state", state));

export function line({ code, priority, state, entries }) {
  const counts = STATES.map((one) => [one, entries.filter((entry) => entry.state === one).length]).filter(([, count]) => count > 0);
  const words = counts.length > 1
    ? counts.map(([one, count]) => `${stateWord(one)}: ${count}`).join(" · ")
    : state === "unacknowledged" ? "" : stateWord(state);
  const sign = state === "returned" ? HOLLOW : SIGNS;
  return make("li", `${priority} ${state}`,
    make("span", "sign", sign[priority]),
    `${word("priority", priority)}: ${alarm(code, entries.map((one) => one.item).filter(Boolean))}`,
    words ? ` (${words})` : "");
}

// The log: newest first, as the vehicles told it.
export function drawLog(events, rate) {
  fill(find("alarms"), events, (row) => `${row.vehicle}${row.time}${JSON.stringify(row.data)}`, logLine, language);
  find("no-alarms").hidden = events.length > 0;
  find("alarm-rate").textContent = rate ? text("alarm_rate", { n: rate.count }) : "";
  find("flood").hidden = !rate?.is_flood;
  if (!rate?.is_flood) return;
  const vehicles = Object.entries(rate.by_vehicle).map(([vehicle, count]) => `${vehicle}: ${count}`).join(", ");
  const words = [`${word("desk", "flood")}: ${text("flood_now", { n: rate.count })}.`, vehicles, text("flood_do")];
  const content = language + words.join();
  if (find("flood").shownContent === content) return;
  find("flood").shownContent = content;
  find("flood").replaceChildren(make("span", "sign", "▲"), make("b", "", words[0]), make("span", "", words[1]), make("span", "", words[2]));
}

function logLine(row) {
  const { data } = row;
  const isGone = data.change !== "raised" && data.change !== "unshelved";
  const priority = data.priority ?? "warning";
  return make("li", isGone ? `${priority} seen` : priority,
    make("span", "quiet", `${moment(row.time)} `), make("b", "", row.vehicle), " ",
    make("span", "sign", (isGone ? HOLLOW : SIGNS)[priority] ?? ""),
    `${data.code ? alarm(data.code, data.item ? [data.item] : []) : "—"}: `,
    make("span", "change", text(`change.${data.change}`)));
}
