// The main area and the action bar of each phase. Which buttons there are follows the phase; whether they are allowed,
// control says.

import { button, h } from "../ui.js";
import { careTiles, cellTile, cellsTile, count, equipmentTile, isByHand, isGood, refusalTile, rowTile, tile } from "./tiles.js";
import { t, time, unitName } from "../texts.js";

const row = (snapshot, item) => snapshot.checklist.find((entry) => entry.item === item);

// What each command's sender looked at (stale_view): if only something else changed, the command is repeated.
export const relied = {
  row: (item) => (s) => [s.phase, row(s, item)?.status, row(s, item)?.parts],
  cell: (number) => (s) => [s.phase, s.boarding.open, s.counts.commander, s.trip?.cells.find((c) => c.cell === number), s.trip?.halt?.out],
  checks: (s) => [s.phase, s.boarding, s.driver.ready, s.checklist.map((entry) => entry.status)],
  counts: (s) => [s.phase, s.counts, s.trip?.cells],
  trip: (s) => [s.phase, s.trip?.id, s.counts],
  // That its cause has gone meanwhile changes nothing; that it is there again, somebody has to see.
  alarm: ({ id, state }) => (s) => s.alarms.some((entry) => entry.id === id && (state !== "returned" || entry.state === "returned")),
  notice: (id) => (s) => s.notices.find((entry) => entry.id === id)?.stage,
};

const ROW_CODES = ["item_not_proven", "item_failed", "item_expired", "order_expired"];

export function view(snapshot, ui) {
  const { phase } = snapshot;
  if (phase === "no_trip" || phase === "closed") return idle(snapshot, ui);
  if (phase === "checking") return checks(snapshot, ui, "before_boarding");
  if (phase === "boarding") return snapshot.boarding.open || ui.tab === "cells" ? boarding(snapshot, ui) : checks(snapshot, ui, "before_boarding");
  if (phase === "securing") return checks(snapshot, ui, "before_departure");
  if (phase === "secured") return secured(snapshot, ui);
  if (phase === "under_way") return snapshot.trip.halt && !ui.isLocked ? halt(snapshot, ui) : underWay(snapshot, ui);
  if (phase === "arrived") return arrived(snapshot, ui);
  return unloading(snapshot, ui);
}

function idle(snapshot, ui) {
  return {
    name: "idle",
    nodes: [h("div", { class: "message" }, h("b", {}, t(`phase.${snapshot.phase}`)), h("span", {}, snapshot.vehicle), h("span", {}, unitName(ui.settings.origin)))],
    bar: [button({ key: "new_trip", text: t("button.open_trip"), tone: "primary", run: ui.openForm })],
  };
}

// What is still to do comes first, so that the first page is always the work left.
function checks(snapshot, ui, stage) {
  const rows = snapshot.checklist.filter((entry) => entry.stage === stage);
  const rowItems = new Set(rows.filter((entry) => !isGood(entry)).map((entry) => entry.item));
  const others = stage === "before_boarding" ? snapshot.boarding.refusals.filter((reason) => !(ROW_CODES.includes(reason.code) || rowItems.has(reason.item))) : [];
  const ordered = [...rows.filter((entry) => !isGood(entry)), ...rows.filter(isGood)];
  const nodes = [...others.map(refusalTile), ...ordered.map((entry) => rowTile(entry, snapshot, rowAction(entry, snapshot, ui)))];
  const isReady = others.length === 0 && rows.every(isGood);
  const passed = rows.filter(isGood).length;
  const bar = snapshot.phase === "boarding" ? [] : [h("div", { class: "progress" }, h("b", {}, `${passed}/${rows.length}`))];
  if (stage === "before_departure") {
    bar.push(button({ key: "open_boarding", text: t("button.open_boarding"), run: () => ui.command("open_boarding", {}, relied.checks) }));
    bar.push(button({ key: "secure", text: t("button.secure"), tone: isReady ? "primary" : "", run: () => ui.command("secure", {}, relied.checks) }));
  } else {
    if (snapshot.phase === "boarding") bar.push(button({ key: "tab", text: t("display.cells"), run: () => ui.setTab("cells") }));
    bar.push(button({ key: "start_tests", text: t("button.start_tests"), tone: rows.some((entry) => entry.kind === "sensed" && !isGood(entry)) ? "primary" : "", run: () => ui.command("start_tests", {}, (s) => s.phase) }));
    bar.push(button({ key: "open_boarding", text: t("button.open_boarding"), tone: isReady ? "primary" : "", run: () => ui.command("open_boarding", {}, relied.checks) }));
  }
  return { name: `checks:${stage}`, nodes, bar };
}

function rowAction(entry, snapshot, ui) {
  if (isByHand(entry, snapshot)) {
    if (entry.parts) return () => ui.showParts(entry.item);
    if (isGood(entry)) return () => ui.showWithdraw(entry.item);
    return () => ui.command("confirm", { item: entry.item }, relied.row(entry.item));
  }
  const canFallBack = ui.settings.manual_fallback.includes(entry.item) && !isGood(entry);
  return canFallBack ? () => ui.showFallback(entry.item) : undefined;
}

function usedCells(snapshot) {
  return snapshot.trip.cells.filter((cell) => cell.planned > 0 || cell.seated > 0);
}

function boarding(snapshot, ui) {
  const { commander, body } = snapshot.counts;
  const { open, permitted } = snapshot.boarding;
  const nodes = usedCells(snapshot).map((cell) => {
    const minus = button({ key: `unboard:${cell.cell}`, text: "−1", hold: true, off: cell.seated === 0, run: () => ui.command("unboard_person", { cell: cell.cell }, relied.cell(cell.cell)) });
    const plus = button({ key: `board:${cell.cell}`, text: "+1", tone: open && cell.seated < cell.planned ? "primary" : "", off: !open, run: () => ui.command("board_person", { cell: cell.cell }, relied.cell(cell.cell)) });
    return cellTile(cell, `${cell.seated}/${cell.planned}`, [minus, plus], cell.seated >= cell.planned ? "full" : "");
  });
  const differ = commander === body ? "" : "differ";
  const bar = [
    h("div", { class: "counts" }, count(commander, t("display.commander"), differ), h("b", { class: `equals ${differ}` }, commander === body ? "=" : "≠"), count(body, t("display.body"), differ)),
    open
      ? button({ key: "suspend", text: t("button.suspend_boarding"), run: () => ui.command("suspend_boarding", {}, (s) => s.boarding.open) })
      : button({ key: "tab", text: t("phase.checking"), run: () => ui.setTab("checks") }),
    button({ key: "finish", text: t("button.finish_boarding"), tone: commander === body && commander > 0 ? "primary" : "", run: () => ui.command("finish_boarding", {}, relied.counts) }),
  ];
  return { name: "cells", nodes, bar, grid: "cells", dim: open && !permitted };
}

function secured(snapshot, ui) {
  const { trip } = snapshot;
  const nodes = [
    tile("info", "advice", t("desk.destination"), trip.destination ? unitName(trip.destination) : trip.destination_place ?? ""),
    ...(trip.intermediate.length ? [tile("info", "advice", t("desk.intermediate"), trip.intermediate.map(unitName).join(", "))] : []),
    ...snapshot.checklist.filter((entry) => entry.stage === "before_departure").map((entry) => rowTile(entry, snapshot)),
  ];
  const bar = [
    button({ key: "open_boarding", text: t("display.cells"), run: ui.showCells }),
    button({ key: "depart", text: t("button.depart"), note: t("display.hold"), tone: "primary", hold: true, run: () => ui.command("depart", {}, relied.trip) }),
  ];
  return { name: "secured", nodes, bar };
}

const WATCHED = ["body_door", "ventilation", "lighting", "intercom", "radio", "gnss"];
const WATCHED_TOO = ["beacon", "power", "permit_output"];

function underWay(snapshot, ui) {
  const { equipment, position, motion } = snapshot;
  const speed = position && position.speed_mps !== null && position.age_s < 5 ? `${Math.round(position.speed_mps * 3.6)} ${t("display.kmh")}` : t("equipment.unknown");
  const isStanding = motion === "standing";
  const names = [...WATCHED, ...WATCHED_TOO.filter((name) => equipment[name] && equipment[name].status !== "working")];
  const bad = names.filter((name) => equipment[name]?.status !== "working");
  const nodes = [
    cellsTile(snapshot),
    tile(isStanding ? "pause" : "forward", "advice", t("display.speed"), isStanding ? t("display.standing") : speed, { kind: "sensed" }),
    ...bad.map((name) => equipmentTile(name, equipment[name])),
    ...careTiles(snapshot),
    ...names.filter((name) => !bad.includes(name)).map((name) => equipmentTile(name, equipment[name])),
  ];
  if (ui.isLocked) return { name: "under_way", nodes, bar: [], grid: "states" };
  const bar = [
    button({ key: "notices", text: t("display.notices"), run: ui.showNotices }),
    button({ key: "log_halt", text: t("button.log_halt"), run: ui.showHaltReasons }),
    button({ key: "arrive", text: t("button.arrive"), note: t("display.hold"), hold: true, tone: "primary", run: () => ui.command("arrive", {}, relied.trip) }),
  ];
  return { name: "under_way", nodes, bar, grid: "states" };
}

function halt(snapshot, ui) {
  const { trip } = snapshot;
  const out = new Map(trip.halt.out.map((entry) => [entry.cell, entry.count]));
  const nodes = usedCells(snapshot).map((cell) => {
    const outside = out.get(cell.cell) ?? 0;
    const concerns = relied.cell(cell.cell);
    return cellTile(cell, `${cell.seated - outside}/${cell.seated}`, [
      button({ key: `out:${cell.cell}`, text: t("display.take_out"), tone: "word", off: cell.seated - outside <= 0, run: () => ui.command("halt_out", { cell: cell.cell }, concerns) }),
      button({ key: `in:${cell.cell}`, text: t("display.bring_back"), tone: outside > 0 ? "word primary" : "word", off: outside === 0, run: () => ui.command("halt_in", { cell: cell.cell }, concerns) }),
    ], outside > 0 ? "outside" : "");
  });
  const total = [...out.values()].reduce((sum, number) => sum + number, 0);
  const bar = [
    count(total, t("display.out"), total > 0 ? "differ" : ""),
    h("div", { class: "progress" }, h("b", {}, t("display.halt")), h("span", {}, time(trip.halt.since))),
    button({ key: "end_halt", text: t("button.end_halt"), tone: total === 0 ? "primary" : "", run: () => ui.command("end_halt", {}, relied.trip) }),
  ];
  return { name: "halt", nodes, bar, grid: "cells" };
}

function arrived(snapshot, ui) {
  const nodes = [
    tile("info", "advice", t("desk.destination"), snapshot.trip.destination ? unitName(snapshot.trip.destination) : snapshot.trip.destination_place ?? ""),
    cellsTile(snapshot),
    equipmentTile("body_door", snapshot.equipment.body_door),
    equipmentTile("ventilation", snapshot.equipment.ventilation),
    ...careTiles(snapshot),
  ];
  const bar = [
    button({ key: "notices", text: t("display.notices"), run: ui.showNotices }),
    button({ key: "open_unloading", text: t("button.open_unloading"), tone: "primary", run: () => ui.command("open_unloading", {}, relied.trip) }),
  ];
  return { name: "arrived", nodes, bar };
}

function unloading(snapshot, ui) {
  const { commander, unloaded } = snapshot.counts;
  const isEveryoneOut = unloaded >= commander;
  const rows = snapshot.checklist.filter((entry) => entry.stage === "before_close");
  const nodes = isEveryoneOut
    ? [tile("tick", "ok", t("display.everyone_out"), `${unloaded}/${commander}`), ...rows.map((entry) => closingTile(entry, snapshot))]
    : usedCells(snapshot).filter((cell) => cell.seated > 0).map((cell) =>
        cellTile(cell, `${t("display.inside")}: ${cell.seated}`, [
          null,
          button({ key: `unload:${cell.cell}`, text: "+1", tone: "primary", run: () => ui.command("unload_person", { cell: cell.cell }, relied.cell(cell.cell)) }),
        ]),
      );
  const bar = [
    h("div", { class: "counts" }, count(`${unloaded}/${commander}`, t("count.unloaded"), isEveryoneOut ? "" : "differ")),
    button({ key: "notices", text: t("display.notices"), run: ui.showNotices }),
    button({ key: "close_trip", text: t("button.close_trip"), note: t("display.hold"), hold: true, tone: isEveryoneOut && rows.every(isGood) ? "primary" : "", run: () => ui.command("close_trip", {}, relied.trip) }),
  ];
  return { name: isEveryoneOut ? "closing" : "unloading", nodes, bar, grid: isEveryoneOut ? "tiles" : "cells" };
}

// Here the sentence matters more than the status: somebody has to walk to the rear.
function closingTile(entry, snapshot) {
  const element = rowTile(entry, snapshot);
  if (!isGood(entry)) element.querySelector(".state").textContent = t(`sentence.${entry.item}`);
  return element;
}
