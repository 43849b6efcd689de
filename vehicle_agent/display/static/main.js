// The cab display: draws what control says and sends what the commander presses. It decides nothing.

import { command, openSession, wire } from "./api.js";
import { live, start } from "./live.js";
import { pageOf, paginate, pager, setPage } from "./pages.js";
import { keep, kept, loadTexts, savedLanguage, setLanguage, t } from "./texts.js";
import { applyTheme, switchTheme } from "./theme.js";
import { button, draw, forget, h, listen, quiet } from "./ui.js";
import { arguments_, form, newForm } from "./views/form.js";
import * as alarms from "./views/alarms.js";
import { head, strip } from "./views/head.js";
import { keyboard } from "./views/keyboard.js";
import { relied, view } from "./views/phases.js";
import * as sheets from "./views/sheets.js";

const ALARM_TRIES = 5; // in a flood something else changes all the time
const UNLOCK_MS = 3000; // hmi: unlocked after 3 s of standing
const element = (id) => document.getElementById(id);
const stack = []; // open sheets, the last on top
let clock = null;
let standingSince = null;
let shown = null; // name of the drawn view

const ui = {
  settings: { origin: "", cells: [], manual_fallback: [], lock_while_moving: true, language: "kk" },
  tab: "checks",
  form: null,
  keyboard: null,
  pin: null,
  isLocked: false,
  mustStopForPin: false, // a PIN was needed on the road, where none is typed
  commanderName: kept("commander") ?? "",
  get snapshot() {
    return live.snapshot;
  },
  get isPortrait() {
    return innerHeight > innerWidth;
  },
  command,
  // Each alarm that the person saw, in turn; one that came meanwhile waits for its own press.
  acknowledge: (group) => inTurn(group.waiting, (entry) => command("acknowledge_alarm", { alarm: entry.id }, relied.alarm(entry), ALARM_TRIES)),
  async shelve(group, for_s, reason) {
    const active = group.entries.filter((entry) => !entry.shelved_until && entry.state !== "returned");
    const hasGone = (id) => live.snapshot.alarms.some((one) => one.id === id && one.state === "returned");
    const isDone = await inTurn(active, (entry) => hasGone(entry.id) || command("shelve_alarm", { alarm: entry.id, reason, for_s }, relied.alarm(entry), ALARM_TRIES));
    if (isDone) ui.closeSheet();
  },
  setTab(tab) {
    ui.tab = tab;
    render();
  },
  openSheet(build) {
    if (ui.isLocked) return;
    stack.push(build);
    setPage("sheet", 0);
    render();
    quiet();
  },
  closeSheet() {
    stack.pop();
    render();
    quiet();
  },
  closeSheets() {
    stack.length = 0;
    render();
    quiet();
  },
  note: (text) => ui.openSheet(sheets.message(text)),
  showMenu: () => ui.openSheet(sheets.menu(ui)),
  showReasons: () => ui.openSheet(sheets.currentReasons(ui)),
  showAlarms: () => ui.openSheet(alarms.alarms(ui)),
  showNotices: () => ui.openSheet(sheets.notices(ui)),
  showCells: () => ui.openSheet(sheets.cells(ui)),
  showParts: (item) => ui.openSheet(sheets.parts(item, ui)),
  showWithdraw: (item) => ui.openSheet(sheets.withdraw(item, ui)),
  showFallback: (item) => ui.openSheet(sheets.fallback(item, ui)),
  showHaltReasons: () => ui.openSheet(sheets.haltReasons(ui)),
  switchTheme() {
    switchTheme(live.snapshot);
    render();
  },
  switchLanguage(lang) {
    setLanguage(lang);
    render();
  },
  openForm() {
    ui.form ??= newForm(ui.settings.cells, localDay(live.snapshot.at));
    ui.openSheet(form(ui));
  },
  changeForm(change) {
    Object.assign(ui.form, change);
    render();
  },
  formStep(step) {
    ui.form.step = step;
    setPage("sheet", 0);
    render();
    quiet();
  },
  async sendForm() {
    if (!(await command("open_trip", arguments_(ui.form), (s) => s.phase))) return;
    ui.form = null;
    stack.length = 0;
    render();
  },
  openKeyboard(title, field) {
    ui.keyboard = { title, value: ui.form[field], page: field === "place" ? 1 : 0, enter: (value) => { ui.form[field] = value; } };
    ui.openSheet(keyboard(ui));
  },
  openNameKeyboard() {
    const enter = (value) => {
      ui.commanderName = value.trim();
      keep("commander", ui.commanderName);
    };
    ui.keyboard = { title: t("display.name_or_post"), value: ui.commanderName, page: 1, enter };
    ui.openSheet(keyboard(ui));
  },
  changeKeyboard(change) {
    Object.assign(ui.keyboard, change);
    render();
  },
  keyboardEnter() {
    ui.keyboard.enter(ui.keyboard.value);
    ui.closeSheet();
  },
  askPin(use, why = "", asksName = false) {
    ui.pin = { digits: "", note: "", why, use, asksName };
    ui.openSheet(sheets.pin(ui));
  },
  pinDigit(digit) {
    ui.pin.digits = digit === null ? ui.pin.digits.slice(0, -1) : (ui.pin.digits + digit).slice(0, 12);
    ui.pin.note = "";
    render();
  },
  async pinEnter() {
    const { digits, use } = ui.pin;
    ui.pin.digits = "";
    if (!digits) return render();
    await use(digits);
  },
};

function localDay(at) {
  return new Date(Date.parse(at) + 5 * 3600 * 1000).toISOString().slice(0, 10);
}

// A command without a session: resolves when the PIN was right; who gives up closes the pad, and nothing goes on.
function needPin() {
  return new Promise((resolve) => {
    if (ui.isLocked) {
      ui.mustStopForPin = true;
      render();
      return;
    }
    ui.askPin(async (digits) => {
      const { status, data, retryAfter } = await openSession(digits, ui.commanderName);
      if (status === 200) {
        ui.closeSheet();
        resolve();
        return;
      }
      if (status === 429) ui.pin.note = t("display.pin_locked", { m: retryAfter ?? data.retry_after_s ?? "" });
      else if (status === 401) ui.pin.note = t("display.pin_wrong");
      else ui.pin.note = t(status === 503 ? "display.control_gone" : "display.not_accepted");
      render();
    }, "", true);
  });
}

// One command after the other, but for alarms that are no longer as the person saw them; false as soon as one was not
// done, and then the person has been told why.
async function inTurn(entries, run) {
  for (const entry of entries) {
    if (relied.alarm(entry)(live.snapshot) && !(await run(entry))) return false;
  }
  return true;
}

function showMessage({ code, refusals, warnings, detail, seconds }) {
  if (ui.isLocked) return;
  if (code === "refused") ui.openSheet(sheets.reasons(refusals, t("display.refused_title")));
  else if (code === "warning") ui.openSheet(sheets.message(warnings.map((warning) => t(`display.${warning}`)).join(" ")));
  else {
    const words = t(`display.${code}`, { m: Math.ceil(seconds ?? 0) });
    ui.openSheet(sheets.message(detail ? `${words} (${detail})` : words, "crit"));
  }
}

function lock(snapshot) {
  const now = performance.now();
  if (snapshot.motion === "standing") standingSince ??= now;
  else standingSince = null;
  const isStanding = standingSince !== null && now - standingSince >= UNLOCK_MS;
  const was = ui.isLocked;
  ui.isLocked = ui.settings.lock_while_moving && snapshot.phase === "under_way" && !isStanding;
  if (ui.isLocked) stack.length = 0;
  else ui.mustStopForPin = false;
  if (was !== ui.isLocked) quiet();
  if (ui.isLocked && standingSince !== null) setTimeout(render, UNLOCK_MS - (now - standingSince) + 20);
}

function render() {
  const snapshot = live.snapshot;
  if (!snapshot) return;
  lock(snapshot);
  applyTheme(snapshot);
  if (snapshot.phase !== "boarding" || snapshot.boarding.open) ui.tab = "checks";
  document.body.className = `${document.body.classList.contains("aging") ? "aging" : ""} ${ui.isLocked ? "locked" : ""}`;
  draw("head", element("head"), () => head(snapshot, clock ?? snapshot.at, ui));
  const alarm = strip(snapshot, ui);
  element("strip").hidden = alarm.length === 0;
  draw("strip", element("strip"), () => strip(snapshot, ui));
  drawView(snapshot);
  drawSheet();
  document.body.dataset.rev = snapshot.rev;
}

function drawView(snapshot) {
  let current = null;
  draw("body", element("body"), () => {
    current = view(snapshot, ui);
    return [h("div", { class: `list ${current.grid ?? "tiles"} ${current.dim ? "dim" : ""}` }, current.nodes)];
  });
  const isNew = shown !== current.name;
  if (isNew) {
    setPage("body", 0);
    quiet();
  }
  shown = current.name;
  const { bar, grid } = view(snapshot, ui);
  const turner = (count) => pager("body", count, render, grid === "cells" || snapshot.phase === "boarding");
  draw("bar", element("bar"), () => view(snapshot, ui).bar);
  element("bar").hidden = bar.length === 0;
  const list = element("body").firstElementChild;
  const wanted = pageOf("body");
  const pages = paginate(list, "body");
  if (grid === "states") setPage("body", 0); // the gravest are first, and no page is turned on the road
  else if (pages > 1) {
    // The pager may need a second line, and then the pages are shorter.
    draw("bar", element("bar"), () => [...turner(pages), ...view(snapshot, ui).bar]);
    element("bar").hidden = false;
    setPage("body", wanted); // among fewer, longer pages it may have been beyond the last
    const shorter = paginate(list, "body");
    draw("bar", element("bar"), () => [...turner(shorter), ...view(snapshot, ui).bar]);
  }
}

function drawSheet() {
  const root = element("sheet");
  let sheet = null;
  while (stack.length > 0 && sheet === null) {
    sheet = stack.at(-1)();
    if (sheet === null) stack.pop();
  }
  root.hidden = sheet === null;
  if (sheet === null) {
    forget("sheet");
    root.replaceChildren();
    root.drawnHtml = "";
    return;
  }
  draw("sheet", root, () => {
    const built = stack.at(-1)();
    return [
      h("div", { class: "sheet-head" }, button({ key: "sheet:back", sign: "back", tone: "plain", run: ui.closeSheet }), h("b", {}, built.title)),
      h("div", { class: `list ${built.grid}` }, built.nodes),
      h("div", { class: "sheet-bar" }, h("div", { class: "pages" }), built.bar ?? []),
    ];
  });
  const bar = root.querySelector(".sheet-bar");
  bar.hidden = !(sheet.bar?.length > 0);
  if (sheet.grid === "whole") return;
  const list = root.querySelector(".list");
  const turner = (count) => draw("sheet-pages", bar.querySelector(".pages"), () => pager("sheet", count, render));
  const wanted = pageOf("sheet");
  const pages = paginate(list, "sheet");
  turner(pages);
  if (pages < 2) return;
  bar.hidden = false;
  setPage("sheet", wanted); // among fewer, longer pages it may have been beyond the last
  turner(paginate(list, "sheet")); // the pager took room from the list
}

async function boot() {
  const [units, settings] = await Promise.all(["units", "display"].map(async (name) => (await fetch(`/api/v1/${name}`)).json()));
  Object.assign(ui.settings, settings, { origin: units.origin });
  await loadTexts(units.units);
  await document.fonts.ready;
  setLanguage(savedLanguage() ?? settings.language);
  wire({ needPin, message: showMessage, busy: (isBusy) => element("app").classList.toggle("busy", isBusy) });
  listen();
  addEventListener("resize", render);
  document.fonts.addEventListener("loadingdone", render);
  start(render, (tick) => {
    clock = tick.at;
    draw("head", element("head"), () => head(live.snapshot, clock, ui));
  });
}

boot().catch(() => setTimeout(() => location.reload(), 2000));
