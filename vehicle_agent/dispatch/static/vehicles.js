// What each vehicle last said of itself. Grey is normal; colour and a word only where something is not.

import { fill, find, make } from "/static/dom.js";
import { moment, place, span } from "/static/format.js";
import * as alarms from "/static/alarms.js";
import { item, language, text, word } from "/static/words.js";

const rows = new Map(); // vehicle -> {row, at_ms}: when the row came, by the page's own steady clock

export function take({ reset, rows: given }) {
  if (reset) rows.clear();
  const at_ms = performance.now();
  for (const row of given) rows.set(row.vehicle, { row, at_ms });
}

// Ages grow between two messages; whole steps only, so that nothing is drawn anew without need.
function aged(seconds, at_ms) {
  if (seconds === null || seconds === undefined) return null;
  const now = seconds + (performance.now() - at_ms) / 1000;
  return now < 10 ? Math.floor(now) : now < 60 ? Math.floor(now / 5) * 5 : Math.floor(now / 60) * 60;
}

export function draw() {
  const shown = [...rows.values()]
    .map(({ row, at_ms }) => {
      const state_age = aged(row.state_age_s, at_ms);
      const position_age = aged(row.position_age_s, at_ms);
      return {
        ...row,
        state_age_s: state_age,
        position_age_s: position_age,
        session_age_s: null,
        is_state_stale: row.state_at !== null && (state_age === null || state_age > row.state_stale_after_s),
        is_position_stale: row.position !== null && (position_age === null || position_age > row.position_stale_after_s),
      };
    })
    .sort((a, b) => rank(a) - rank(b) || (a.vehicle < b.vehicle ? -1 : 1));
  fill(find("vehicles"), shown, (row) => row.vehicle, card, language);
}

export const criticals = () => [...rows.values()].flatMap(({ row }) =>
  row.alarms.filter((one) => one.priority === "critical" && one.state === "unacknowledged").map((one) => one.id));

const neverHeard = (row) => row.state_at === null && row.position === null && row.online === null;

// Danger on top, those that never spoke at the bottom, otherwise always the same order.
const rank = (row) => (neverHeard(row) ? 2 : row.alarms.some((one) => one.priority === "critical" && one.state !== "returned") ? 0 : 1);

function card(row) {
  const isSilent = neverHeard(row);
  return make("article", "car",
    make("header", "", make("h3", "", row.vehicle), isSilent ? null : phase(row), link(row, isSilent)),
    row.state_at === null ? null : troubles(row),
    row.position === null ? null : where(row),
    notes(row));
}

const phase = (row) => make("span", row.is_state_stale || row.online === false ? "phase old" : "phase", row.phase ? word("phase", row.phase) : "—");

function link(row, isSilent) {
  if (isSilent) return make("span", "quiet", text("never_heard"));
  const age = row.state_age_s === null ? text("age_unknown") : text("ago", { t: span(row.state_age_s) });
  if (row.online === false) return make("span", "mark stale", `${text("offline")} · ${text("last_seen")}: ${age}`);
  if (row.is_state_stale) return make("span", "mark stale", `${text("stale")}: ${age}`);
  return make("span", "quiet", `${text("online")} · ${age}`);
}

function troubles(row) {
  const list = make("ul", "troubles", alarms.causes(row.alarms).map(alarms.line));
  const more = row.alarms_total - row.alarms.length; // the vehicle tells its ten gravest
  if (more > 0) list.append(make("li", "quiet", text("and_more", { n: more })));
  for (const [code, equipment] of Object.entries(row.equipment)) {
    if (equipment.status === "working") continue;
    const reason = equipment.reason ? ` (${word("reason", equipment.reason)})` : "";
    const kind = equipment.status === "fault" ? "warning" : "stale";
    list.append(make("li", kind, make("span", "sign", kind === "warning" ? "▲" : "?"), `${item(code)}: ${word("equipment", equipment.status)}${reason}`));
  }
  list.hidden = list.childElementCount === 0;
  return list;
}

function where(row) {
  const fix = row.position;
  const age = row.position_age_s === null ? text("age_unknown") : text("ago", { t: span(row.position_age_s) });
  const speed = fix.speed_mps === null ? "" : ` · ${text("speed", { n: Math.round(fix.speed_mps * 3.6) })}`;
  return make("p", "where",
    make("span", "", `${place(fix)}${speed} · `),
    make("span", row.is_position_stale ? "mark stale" : "quiet", row.is_position_stale ? `${text("stale")}: ${age}` : age),
    fix.trusted ? null : make("span", "mark late", text("untrusted")));
}

function notes(row) {
  const found = [];
  if (row.clock?.source === "none") found.push(text("clock_doubt"));
  if (row.uplink?.pending_notices) found.push(text("pending_notices", { n: row.uplink.pending_notices }));
  const list = make("ul", "doubts", found.map((words) => make("li", "late", words)));
  list.hidden = found.length === 0;
  return list;
}

// One line of the list of events.
export function eventLine(row) {
  const { data } = row;
  const what = {
    phase: () => word("phase", data.phase),
    fallback: () => item(data.item),
    notice_stage: () => `${data.kind ? `${word("notice", data.kind)}: ` : ""}${word("stage", data.stage)}${data.by ? ` (${[data.by, data.post].filter(Boolean).join(", ")})` : ""}`,
  }[row.kind];
  const words = text(`event.${row.kind}`, { what: what ? what() : "", unit: data.recipient ?? "—" });
  return make("li", "", make("span", "quiet", `${moment(row.time)} `), make("b", "", row.vehicle), ` ${words}`);
}
