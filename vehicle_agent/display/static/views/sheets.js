// Sheets: what opens over the main area (reasons, parts of a row, notices, reasons to choose, menu, PIN).

import { button, h, icon } from "../ui.js";
import { currentLanguage, label, LANGUAGES, part, sentence, t, time, unitName } from "../texts.js";
import { mustTelephone } from "./head.js";
import { relied } from "./phases.js";
import { cellTile, equipmentTile, isGood, refusalTile, tile } from "./tiles.js";

const STAGE = {
  recorded: ["ring", "muted"],
  at_broker: ["turn", "advice"],
  received: ["box_tick", "ok"],
  acknowledged: ["tick", "ok"],
  told_by_radio: ["hand", "ok"],
};
const HALT_REASONS = ["toilet", "meal", "medical", "fuel", "technical", "road", "other"];
const CANCEL_REASONS = ["entry_error", "order_withdrawn", "request_withdrawn", "vehicle_fault", "other"];
const POSTS = ["duty_officer", "deputy", "chief"];

export function reasons(list, title = t("display.reasons")) {
  return () => ({
    title,
    nodes: list.map(refusalTile),
    grid: "lines",
  });
}

export function currentReasons(ui) {
  return () => {
    const list = ui.snapshot.boarding.refusals;
    if (list.length === 0) return { title: t("display.may_open"), nodes: [], grid: "lines" };
    return reasons(list)();
  };
}

export function message(text, tone = "warn") {
  return () => ({ title: "", nodes: [tile(tone === "crit" ? "crit" : "warn", tone, text, "")], grid: "lines" });
}

export function parts(item, ui) {
  return () => {
    const row = ui.snapshot.checklist.find((entry) => entry.item === item);
    if (!row?.parts) return null;
    const nodes = row.parts.map((entry) => {
      const words = part(entry.part, ui.snapshot.trip);
      if (entry.confirmed) return tile("box_tick", "ok", words, t("status.confirmed"));
      return tile("box", "todo", words, "", {
        key: `part:${entry.part}`,
        kind: "by-hand",
        run: () => ui.command("confirm", { item, part: entry.part }, (s) => [s.phase, s.checklist.find((e) => e.item === item)?.parts?.find((p) => p.part === entry.part)]),
      });
    });
    const bar = row.parts.some((entry) => entry.confirmed) ? [withdrawButton(item, ui)] : [];
    return { title: label(item), nodes, bar, grid: "lines" };
  };
}

function withdrawButton(item, ui) {
  return button({ key: `withdraw:${item}`, text: t("button.withdraw"), note: t("display.hold"), hold: true, run: async () => {
    if (await ui.command("withdraw", { item }, relied.row(item))) ui.closeSheet();
  } });
}

export function withdraw(item, ui) {
  return () => {
    const row = ui.snapshot.checklist.find((entry) => entry.item === item);
    if (!row || !isGood(row)) return null;
    return { title: label(item), nodes: [tile("box_tick", "ok", t("status.confirmed"), time(row.since))], bar: [withdrawButton(item, ui)], grid: "lines" };
  };
}

export function notices(ui) {
  return () => {
    const place = mustTelephone(ui.snapshot);
    const nodes = ui.snapshot.notices.map((notice) => {
      const [sign, tone] = notice.overdue ? ["warn", "warn"] : STAGE[notice.stage] ?? STAGE.recorded;
      const isToTell = !["acknowledged", "told_by_radio"].includes(notice.stage);
      const who = [notice.by, notice.post].filter(Boolean).join(", ");
      const state = `${notice.overdue ? `${t("notice.overdue")} · ` : ""}${t(`stage.${notice.stage}`)} · ${time(notice.at)}`;
      const run = isToTell ? () => ui.openSheet(posts(notice, ui)) : undefined;
      return tile(sign, tone, `${unitName(notice.recipient)} · ${t(`notice.${notice.kind}`)}`, who ? `${state} · ${who}` : state, {
        key: `notice:${notice.id}`,
        run,
        extra: isToTell ? h("span", { class: "aside" }, t("display.told_by_radio")) : null,
        kind: "notice",
      });
    });
    if (place) nodes.unshift(tile("info", "advice", t("display.telephone", { place }), ""));
    if (nodes.length === 0) nodes.push(tile("info", "muted", t("display.no_notices"), ""));
    return { title: t("display.notices"), nodes, grid: "lines" };
  };
}

function posts(notice, ui) {
  return () => ({
    title: `${unitName(notice.recipient)}: ${t("display.who_was_told")}`,
    nodes: POSTS.map((code) =>
      button({ key: `post:${code}`, text: t(`display.${code}`), note: t("display.hold"), hold: true, tone: "line", run: async () => {
        await ui.command("told_by_radio", { notice: notice.id, post: t(`display.${code}`) }, relied.notice(notice.id));
        ui.closeSheet();
      } }),
    ),
    grid: "lines",
  });
}

function choose(title, codes, command, ui) {
  return () => ({
    title,
    nodes: codes.map((code) =>
      button({ key: `reason:${code}`, text: t(`display.reason.${code}`), tone: "line", hold: command === "cancel_trip", note: command === "cancel_trip" ? t("display.hold") : "", run: async () => {
        if (await ui.command(command, { reason: t(`display.reason.${code}`) }, relied.trip)) ui.closeSheet();
      } }),
    ),
    grid: "tiles",
  });
}

export const haltReasons = (ui) => choose(t("display.halt_reason"), HALT_REASONS, "log_halt", ui);
export const cancelReasons = (ui) => choose(t("display.cancel_reason"), CANCEL_REASONS, "cancel_trip", ui);

export function equipment(ui) {
  return () => ({
    title: t("display.equipment"),
    nodes: Object.entries(ui.snapshot.equipment).map(([name, entry]) => equipmentTile(name, entry, ui.snapshot)),
    grid: "tiles",
  });
}

// Counts by cell where nobody boards: taking one back is still possible.
export function cells(ui) {
  return () => {
    if (!ui.snapshot.trip) return null;
    const canTakeBack = ["boarding", "securing", "secured"].includes(ui.snapshot.phase);
    const nodes = ui.snapshot.trip.cells.filter((cell) => cell.planned > 0 || cell.seated > 0).map((cell) =>
      cellTile(cell, `${cell.seated}/${cell.planned}`, [
        canTakeBack ? button({ key: `sheet-unboard:${cell.cell}`, text: "−1", hold: true, off: cell.seated === 0, run: () => ui.command("unboard_person", { cell: cell.cell }, relied.cell(cell.cell)) }) : null,
        null,
      ]),
    );
    return { title: t("display.cells"), nodes, grid: "cells" };
  };
}

export function menu(ui) {
  return () => {
    const { phase, counts } = ui.snapshot;
    const line = (key, text, run, tone = "line") => button({ key: `menu:${key}`, text, run, tone });
    const canCancel = ["checking", "boarding", "securing", "secured"].includes(phase) && counts.commander === 0;
    return {
      title: `${t(`phase.${phase}`)}${ui.snapshot.trip ? ` · ${t("word.order")} ${ui.snapshot.trip.order.number}` : ""}`,
      nodes: [
        line("notices", t("display.notices"), ui.showNotices),
        line("alarms", t("display.alarms"), ui.showAlarms),
        line("equipment", t("display.equipment"), () => ui.openSheet(equipment(ui))),
        line("theme", `${t("display.day")} / ${t("display.night")}`, ui.switchTheme),
        ui.snapshot.trip ? line("cells", t("display.cells"), ui.showCells) : null,
        canCancel ? line("cancel", t("button.cancel_trip"), () => ui.openSheet(cancelReasons(ui))) : null,
      ].filter(Boolean),
      bar: LANGUAGES.map((lang) => button({ key: `lang:${lang}`, text: { kk: "Қазақша", ru: "Русский", en: "English" }[lang], tone: lang === currentLanguage() ? "primary" : "", run: () => ui.switchLanguage(lang) })),
      grid: "tiles",
    };
  };
}

export function pin(ui) {
  return () => {
    const { digits, note, asksName } = ui.pin;
    const name = asksName ? button({ key: "pin:name", text: t("display.name_or_post"), note: ui.commanderName || "—", tone: "line", run: ui.openNameKeyboard }) : null;
    const key = (text, run, tone = "") => button({ key: `pin:${text}`, text, tone, run });
    const pad = ["1", "2", "3", "4", "5", "6", "7", "8", "9"].map((digit) => key(digit, () => ui.pinDigit(digit)));
    pad.push(key(t("display.erase"), () => ui.pinDigit(null), "small"), key("0", () => ui.pinDigit("0")), key(t("display.enter"), ui.pinEnter, "primary small"));
    return {
      title: t("display.pin_title"),
      nodes: [
        h("div", { class: "pin" },
          h("div", { class: "pin-left" }, h("div", { class: "dots" }, "●".repeat(digits.length) || "—"), ui.pin.why ? h("b", {}, ui.pin.why) : null, note ? h("p", { class: "crit" }, icon("cross", "crit"), h("span", {}, note)) : null, name),
          h("div", { class: "pad" }, pad)),
      ],
      grid: "whole",
    };
  };
}

// The PIN is asked anew: whoever holds the session need not be whoever answers for a faulty sensor.
export function fallback(item, ui) {
  const send = async (digits) => {
    if (await ui.command("confirm", { item, pin: digits }, relied.row(item))) ui.closeSheets();
  };
  return () => ({
    title: label(item),
    nodes: [tile("hand", "manual", t("display.needs_pin_and_driver"), sentence(item))],
    bar: [button({ key: "fallback", text: t("display.fallback"), note: t("display.hold"), hold: true, run: () => ui.askPin(send, label(item)) })],
    grid: "lines",
  });
}
