// Alarms for people: one line for each cause however many items it has, the gravest that nobody has seen first. The strip
// under the header shows the first line; the sheet shows all of them; a cause's own sheet shows each of its items.

import { button, h, icon, pressable } from "../ui.js";
import { alarm, has, label, t, time } from "../texts.js";
import { tile } from "./tiles.js";

const PRIORITIES = ["critical", "warning", "advisory"];
const LOOKS = { critical: ["crit", "crit"], warning: ["warn", "warn"], advisory: ["info", "advice"] };
const STATES = ["unacknowledged", "returned", "acknowledged", "shelved"];
const CALLS = new Set(["cell_call", "alarm_button"]); // a person calls: it sounds until it is answered, also when the button is let go
const SHELVE_MIN = [10, 30];
const SHELVE_REASONS = ["known_fault", "in_repair", "technician_called", "other"];
const NAMES_IN_STRIP = 2; // of a long list of items; the sheet has them all
const NAMES_IN_LINE = 3;

const stateOf = (entry) => (entry.shelved_until ? "shelved" : entry.state);
const isWaiting = (entry) => ["unacknowledged", "returned"].includes(stateOf(entry));

// [{code, priority, state, entries, waiting}], the gravest that nobody has seen first, what is put aside last.
export function groups(snapshot) {
  const byCode = new Map();
  for (const entry of snapshot.alarms ?? []) byCode.set(entry.code, [...(byCode.get(entry.code) ?? []), entry]);
  const made = [...byCode].map(([code, entries]) => ({
    code,
    entries,
    priority: PRIORITIES.find((priority) => entries.some((entry) => entry.priority === priority)) ?? "warning",
    state: STATES.find((state) => entries.some((entry) => stateOf(entry) === state)) ?? "unacknowledged",
    waiting: entries.filter(isWaiting),
  }));
  return made.map((group, place) => [order(group, place), group]).sort(([a], [b]) => compare(a, b)).map(([, group]) => group);
}

// What is put aside comes last; what nobody has seen comes before what somebody has; a call that is not answered stays first.
function order({ code, priority, state, waiting }, place) {
  const isOpen = state === "unacknowledged" || (CALLS.has(code) && waiting.length > 0);
  const isCall = CALLS.has(code) && isOpen;
  return [state === "shelved" ? 1 : 0, isOpen ? 0 : 1, PRIORITIES.indexOf(priority), isCall ? 0 : 1, STATES.indexOf(state), place];
}

function compare(a, b) {
  const differs = a.findIndex((value, index) => value !== b[index]);
  return differs < 0 ? 0 : a[differs] - b[differs];
}

const itemsOf = (group) => group.entries.map((entry) => entry.item).filter(Boolean);

function who(by) {
  return has(`word.${by}`) ? t(`word.${by}`) : by;
}

function stateWords(entries, state) {
  if (state === "acknowledged") {
    const names = [...new Set(entries.map((entry) => entry.acknowledged_by).filter(Boolean))];
    if (names.length > 0) return t("display.acknowledged_by", { by: names.map(who).join(", ") });
  }
  if (state === "returned") return t("display.returned_unseen");
  if (state === "shelved") return t("display.shelved_until", { m: time(entries.map((entry) => entry.shelved_until).sort()[0]) });
  return t(`alarm_state.${state}`);
}

// "Not acknowledged", or, where the items differ, each state with how many items are in it.
function states(entries) {
  const found = STATES.map((state) => [state, entries.filter((entry) => stateOf(entry) === state)]).filter(([, members]) => members.length > 0);
  if (found.length === 1) return stateWords(found[0][1], found[0][0]);
  return found.map(([state, members]) => `${t(`alarm_state.${state}`)}: ${members.length}`).join(" · ");
}

function acknowledgeButton(group, ui, key) {
  if (group.waiting.length === 0) return null;
  // Whoever confirms that the look at the people was due says that it has been taken.
  const isCheck = group.code === "welfare_due" && group.state === "unacknowledged";
  return button({ key, text: t(isCheck ? "button.people_checked" : "button.acknowledge"), tone: "ack", run: () => ui.acknowledge(group) });
}

function sign(group) {
  const [shape, tone] = LOOKS[group.priority];
  return [icon(shape, `${tone} ${group.state === "returned" ? "hollow" : ""}`), tone];
}

// The strip under the header: the first line, large where a person calls. What is put aside is in the sheet only.
export function strip(snapshot, ui) {
  const all = groups(snapshot).filter((group) => group.state !== "shelved");
  if (all.length === 0) return [];
  const [first] = all;
  const { cause, consequence, action } = alarm(first.code, itemsOf(first), NAMES_IN_STRIP);
  const [shape, tone] = sign(first);
  const more = all.length > 1 ? ` (+${all.length - 1})` : "";
  const isCall = CALLS.has(first.code) && first.waiting.length > 0;
  const state = first.state === "unacknowledged" ? null : h("span", { class: "alarm-state" }, states(first.entries));
  const words = h(
    ui.isLocked ? "div" : "button",
    { class: `alarm ${tone} ${first.state} ${isCall ? "call" : ""}`, ...(ui.isLocked ? {} : { type: "button" }) },
    shape,
    h("span", { class: "words" }, h("b", {}, `${t(`priority.${first.priority}`)}: ${cause}${more}`), state, consequences(first, consequence, action)),
  );
  if (!ui.isLocked) pressable("alarms", ui.showAlarms, words);
  if (ui.isLocked && ui.mustStopForPin && first.waiting.length > 0) return [words, h("b", { class: "strip-note" }, t("display.pin_when_standing"))];
  return [words, acknowledgeButton(first, ui, `ack:${first.code}`)];
}

// What may come of it, and what to do. Where the cause has gone nothing of that is true any more.
function consequences(group, consequence, action) {
  if (group.state === "returned" && !CALLS.has(group.code)) return null;
  return h("span", { class: "what" }, consequence ? `${consequence} ` : "", action ? h("b", {}, `→\u00a0${action}`) : null);
}

function line(group, ui) {
  const { cause, consequence, action } = alarm(group.code, itemsOf(group), NAMES_IN_LINE);
  const [shape, tone] = sign(group);
  const words = h("span", { class: "words" },
    h("span", { class: "alarm-state" }, `${t(`priority.${group.priority}`)} · ${states(group.entries)}`),
    h("b", {}, cause),
    consequences(group, consequence, action));
  return [shape, words, `alarm ${tone} ${group.state}`];
}

export function alarms(ui) {
  return () => {
    const all = groups(ui.snapshot);
    const nodes = all.map((group) => {
      const [shape, words, look] = line(group, ui);
      const block = pressable(`alarm:${group.code}`, () => ui.openSheet(cause(group.code, ui)), h("button", { type: "button", class: look }, shape, words));
      return h("div", { class: "alarm-line" }, block, acknowledgeButton(group, ui, `sheet-ack:${group.code}`));
    });
    if (nodes.length === 0) nodes.push(tile("tick", "ok", t("display.no_alarms"), ""));
    return { title: `${t("display.alarms")}: ${ui.snapshot.alarms.length}`, nodes, grid: "lines" };
  };
}

// One cause with each of its items; from here it can be put aside, unless it endangers people.
function cause(code, ui) {
  return () => {
    const group = groups(ui.snapshot).find((one) => one.code === code);
    if (!group) return null;
    const [shape, words, look] = line(group, ui);
    const [sign_, tone] = LOOKS[group.priority];
    const nodes = [
      h("div", { class: look }, shape, words),
      ...group.entries.filter((entry) => entry.item).map((entry) => tile(sign_, isWaiting(entry) ? tone : "muted", label(entry.item), `${states([entry])} · ${time(entry.since)}`, { kind: stateOf(entry) })),
    ];
    const isActive = group.entries.some((entry) => !entry.shelved_until && entry.state !== "returned");
    const canShelve = group.priority !== "critical" && isActive;
    const bar = [
      ...(canShelve ? SHELVE_MIN.map((minutes) => button({ key: `shelve:${minutes}`, text: t("display.shelve_for", { m: minutes }), run: () => ui.openSheet(shelve(code, minutes, ui)) })) : []),
      acknowledgeButton(group, ui, `cause-ack:${code}`),
    ].filter(Boolean);
    return { title: t("display.alarms"), nodes, bar, grid: "lines" };
  };
}

function shelve(code, minutes, ui) {
  return () => {
    const group = groups(ui.snapshot).find((one) => one.code === code);
    if (!group || group.priority === "critical") return null;
    return {
      title: `${t("display.shelve_for", { m: minutes })}: ${t("display.shelve_reason")}`,
      nodes: SHELVE_REASONS.map((reason) => button({ key: `reason:${reason}`, text: t(`display.reason.${reason}`), tone: "line", run: () => ui.shelve(group, minutes * 60, t(`display.reason.${reason}`)) })),
      grid: "tiles",
    };
  };
}
