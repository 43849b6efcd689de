// Tiles: one checklist row, one equipment, one refusal, one cell. Never colour alone: shape, word and colour.

import { h, icon, pressable } from "../ui.js";
import { decimal, has, label, refusal, rule, sentence, t } from "../texts.js";

const ROW = {
  pending: ["ring", "muted"],
  running: ["turn", "advice"],
  passed: ["tick", "ok"],
  failed: ["cross", "crit"],
  expired: ["clock", "stale"],
  manual_fallback: ["hand", "manual"],
};

const EQUIPMENT = {
  working: ["tick", "ok"],
  fault: ["cross", "crit"],
  stale: ["clock", "stale"],
  unknown: ["unknown", "warn"],
};

export function isGood(row) {
  return row.status === "passed" || row.status === "manual_fallback";
}

export function isByHand(row, snapshot) {
  return row.kind === "attested" || (row.item === "order_valid" && snapshot.clock?.source === "none");
}

export function tile(sign, tone, title, words, { key, run, extra = null, kind = "" } = {}) {
  const element = h(
    run ? "button" : "div",
    { class: `tile ${tone} ${kind}`, ...(run ? { type: "button" } : {}) },
    icon(sign, tone),
    h("span", { class: "words" }, h("b", {}, title), words ? h("span", { class: "state" }, words) : null),
    extra,
  );
  return run ? pressable(key, run, element) : element;
}

// A sensed row has no control; a row for a person has a box and acts.
export function rowTile(row, snapshot, run) {
  const byHand = isByHand(row, snapshot);
  let [sign, tone] = ROW[row.status] ?? ["unknown", "warn"];
  let words = t(`status.${row.status}`);
  if (byHand && row.status === "pending") [sign, tone] = ["box", "todo"];
  // Appendix 3: who must be kept apart from whom stands on the back of the request.
  if (row.item === "isolation" && row.status === "pending") words = `${t("display.see_reverse")} ${snapshot.trip?.request_number ?? ""}`;
  if (byHand && row.status === "passed") [sign, words] = ["box_tick", t("status.confirmed")];
  if (row.parts && !isGood(row)) {
    words = `${row.parts.filter((part) => part.confirmed).length}/${row.parts.length}`;
  }
  const cell = /^cell_lock_(\d+)$/.exec(row.item);
  if (row.status === "running" && cell) words = sentence(row.item);
  const equipment = snapshot.equipment?.[row.item];
  if (equipment && equipment.status !== "working" && !isGood(row)) {
    // Repair comes before the next check: what is wrong with it says more than that its proof is gone.
    [sign, tone] = EQUIPMENT[equipment.status] ?? EQUIPMENT.unknown;
    words = statusWords(equipment);
  } else if (row.status === "failed" && row.reason && has(`reason.${row.reason}`)) {
    words = `${words}: ${t(`reason.${row.reason}`)}`;
  }
  const title = cell ? t("display.cell", { n: cell[1] }) : label(row.item);
  return tile(sign, tone, title, words, { key: `row:${row.item}`, run, kind: byHand ? "by-hand" : "sensed" });
}

// What stands in the way and is no row of the checklist.
export function refusalTile(reason) {
  const number = reason.rule ? h("span", { class: "rule" }, ` · ${rule(reason.rule)}`) : null;
  return h("div", { class: "tile crit sensed" }, icon("cross", "crit"), h("span", { class: "words reason" }, h("b", {}, refusal(reason)), number));
}

const isInDanger = (name, snapshot) => snapshot.alarms.some((alarm) => alarm.item === name && alarm.priority === "critical" && alarm.state !== "returned");

export function equipmentTile(name, equipment, snapshot = null) {
  // A working sensor may have something grave to tell: what its alarm says is not drawn green.
  const isAlarmed = equipment?.status === "working" && snapshot !== null && isInDanger(name, snapshot);
  const [sign, tone] = isAlarmed ? ["crit", "crit"] : EQUIPMENT[equipment?.status] ?? EQUIPMENT.unknown;
  return tile(sign, tone, label(name), statusWords(equipment), { kind: "sensed" });
}

export function statusWords(equipment) {
  const { loop, celsius, call } = equipment?.detail ?? {};
  if (equipment?.status === "working") {
    if (loop && has(`loop.${loop}`)) return t(`loop.${loop}`);
    if (typeof celsius === "number") return t("display.celsius", { m: decimal(celsius) });
    if (call) return t(call === "pressed" ? "display.call" : "display.no_call");
  }
  const status = t(`equipment.${equipment?.status ?? "unknown"}`);
  if (equipment?.reason && has(`reason.${equipment.reason}`)) return `${status}: ${t(`reason.${equipment.reason}`)}`;
  return status;
}

// All cells as one: the gravest of them speaks.
export function cellsTile(snapshot) {
  const doors = Object.entries(snapshot.equipment ?? {}).filter(([name]) => name.startsWith("cell_lock_"));
  const bad = doors.find(([, equipment]) => equipment.status !== "working");
  if (bad) return equipmentTile(...bad);
  const open = doors.find(([, equipment]) => equipment.detail?.loop !== "locked");
  if (open) return tile("warn", "crit", label(open[0]), statusWords(open[1]), { kind: "sensed" });
  return tile("tick", "ok", t("display.cells"), t("loop.locked"), { kind: "sensed" });
}

// The care watch under way: all temperatures as one, all call buttons as one; of each the gravest speaks.
export function careTiles(snapshot) {
  const all = Object.entries(snapshot.equipment ?? {});
  const temperatures = all.filter(([name]) => name.startsWith("cell_temperature_"));
  const calls = all.filter(([name]) => name.startsWith("cell_call_"));
  const worst = (list) => list.find(([name]) => isInDanger(name, snapshot)) ?? list.find(([, equipment]) => equipment.status !== "working");
  const made = [];
  if (temperatures.length > 0) {
    const values = temperatures.map(([, equipment]) => equipment.detail?.celsius).filter((celsius) => typeof celsius === "number");
    const range = [...new Set([Math.min(...values), Math.max(...values)])].map(decimal).join(" … ");
    const bad = worst(temperatures);
    made.push(bad ? equipmentTile(...bad, snapshot) : tile("tick", "ok", t("display.cell_temperatures"), t("display.celsius", { m: range }), { kind: "sensed" }));
  }
  if (calls.length > 0) {
    const bad = worst(calls);
    made.push(bad ? equipmentTile(...bad, snapshot) : tile("tick", "ok", t("display.cell_calls"), t("display.no_call"), { kind: "sensed" }));
  }
  return made;
}

export function count(number, words, tone = "") {
  return h("div", { class: `count ${tone}` }, h("b", {}, String(number)), h("span", {}, words));
}

// [less] name, figure, flag [more]
export function cellTile(cell, figure, [less, more], tone = "") {
  const flag = cell.supervision ? h("span", { class: "supervision" }, icon("star", "warn"), h("span", {}, t("display.supervision"))) : null;
  const words = [h("b", {}, t("display.cell", { n: cell.cell })), h("span", { class: "figure" }, figure), flag];
  return h("div", { class: `cell ${tone}` }, less, h("div", { class: "cell-middle" }, words), more);
}
