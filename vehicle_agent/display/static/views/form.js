// The trip's form (Rules 11, 12, 19; App. 4), one question to a step, all by touch. What is missing control will say; the form only
// keeps the person from sending an empty field.

import { button, h } from "../ui.js";
import { day, t, unitCodes, unitName } from "../texts.js";
import { cellTile, tile } from "./tiles.js";

const KINDS = ["within_settlement", "outside_settlement", "medical"];
const EXTRAS = ["takeover", "to_court", "women_on_board"];
const PLANNED_MAX = 9; // more than any cell of a vehicle has seats

export function newForm(cells, today) {
  return {
    step: 0,
    kind: null,
    takeover: false,
    to_court: false,
    women_on_board: false,
    number: "",
    valid_until: today,
    request: "",
    destination: undefined, // undefined: not chosen; null: a place without a unit
    place: "",
    intermediate: [],
    cells: cells.map((cell) => ({ cell, planned: 0, supervision: false })),
  };
}

export function arguments_(form) {
  return {
    kind: form.kind,
    takeover: form.takeover,
    to_court: form.to_court,
    women_on_board: form.women_on_board,
    order: { number: form.number.trim(), valid_until: form.valid_until },
    request_number: form.request.trim() || null,
    destination: form.destination ?? null,
    destination_place: form.destination === null ? form.place.trim() : null,
    intermediate: form.intermediate,
    unloading_place: null,
    cells: form.cells.filter((cell) => cell.planned > 0),
  };
}

// What is still empty, by step; a step is left only when its own list is empty.
export function missing(form, step) {
  const empty = [
    form.kind ? [] : [t("display.trip_kind")],
    form.number.trim() ? [] : [t("display.order_number")],
    form.destination === undefined ? [t("desk.destination")] : form.destination === null && !form.place.trim() ? [t("display.place_name")] : [],
    [],
    form.cells.some((cell) => cell.planned > 0) ? [] : [t("display.cells")],
    [],
  ];
  return empty[step];
}

const STEPS = [kinds, order, destination, intermediate, cells, summary];

export function form(ui) {
  return () => {
    const { form: state } = ui;
    const sheet = STEPS[state.step](state, ui);
    const isLast = state.step === STEPS.length - 1;
    const forward = isLast
      ? button({ key: "form:send", text: t("button.open_trip"), tone: "primary", run: ui.sendForm })
      : button({ key: "form:next", text: t("display.next"), tone: missing(state, state.step).length ? "" : "primary", run: () => next(state, ui) });
    const back = state.step > 0 ? [button({ key: "form:back", text: t("button.back"), run: () => ui.formStep(state.step - 1) })] : [];
    return { ...sheet, title: `${state.step + 1}/${STEPS.length} ${sheet.title}`, bar: [...back, forward], name: `form:${state.step}` };
  };
}

function next(state, ui) {
  const empty = missing(state, state.step);
  if (empty.length) ui.note(t("display.fill_in", { item: empty[0] }));
  else ui.formStep(state.step + 1);
}

function choice(key, text, isChosen, run, isMany = false) {
  const sign = isMany ? (isChosen ? "box_tick" : "box") : isChosen ? "tick" : "ring";
  return tile(sign, isChosen ? "ok" : "todo", text, "", { key: `form:${key}`, run, kind: "by-hand" });
}

function kinds(state, ui) {
  const set = (change) => () => ui.changeForm(change);
  return {
    title: t("display.trip_kind"),
    nodes: [
      ...KINDS.map((kind) => choice(kind, t(`kind.${kind}`), state.kind === kind, set({ kind }))),
      ...EXTRAS.map((extra) => choice(extra, t(`kind.${extra}`), state[extra], set({ [extra]: !state[extra] }), true)),
    ],
    grid: "tiles",
  };
}

function field(key, title, value, run) {
  return tile("forward", value ? "ok" : "todo", title, value || "—", { key: `form:${key}`, run, kind: "by-hand" });
}

function order(state, ui) {
  const [year, month, date] = state.valid_until.split("-").map(Number);
  const shift = (years, months, days) => () => ui.changeForm({ valid_until: shifted(year, month, date, years, months, days) });
  const stepper = (name, words, minus, plus) =>
    h("div", { class: "stepper" }, button({ key: `form:${name}-`, sign: "minus", run: minus }), h("b", {}, words), button({ key: `form:${name}+`, sign: "plus", run: plus }));
  const two = (number) => String(number).padStart(2, "0");
  return {
    title: t("display.order"),
    nodes: [
      field("number", t("display.order_number"), state.number, () => ui.openKeyboard(t("display.order_number"), "number")),
      field("request", t("display.request_number"), state.request, () => ui.openKeyboard(t("display.request_number"), "request")),
      h("div", { class: "date" }, h("span", {}, `${t("display.valid_until")} ${day(state.valid_until)}`), stepper("day", two(date), shift(0, 0, -1), shift(0, 0, 1)), stepper("month", two(month), shift(0, -1, 0), shift(0, 1, 0)), stepper("year", String(year), shift(-1, 0, 0), shift(1, 0, 0))),
    ],
    grid: "tiles",
  };
}

// A calendar day moved by years, months or days; the day is kept inside its month.
export function shifted(year, month, date, years, months, days) {
  const first = new Date(Date.UTC(year + years, month - 1 + months, 1));
  const last = new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + 1, 0)).getUTCDate();
  const at = new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth(), Math.min(date, last) + days));
  return at.toISOString().slice(0, 10);
}

function destination(state, ui) {
  const others = unitCodes().filter((code) => code !== ui.settings.origin);
  const nodes = others.map((code) =>
    choice(`to:${code}`, unitName(code), state.destination === code, () => ui.changeForm({ destination: code, intermediate: state.intermediate.filter((unit) => unit !== code) })),
  );
  nodes.push(choice("to:place", t("display.destination_place"), state.destination === null, () => ui.changeForm({ destination: null })));
  if (state.destination === null) nodes.push(field("place", t("display.place_name"), state.place, () => ui.openKeyboard(t("display.place_name"), "place")));
  return { title: t("desk.destination"), nodes, grid: "tiles" };
}

function intermediate(state, ui) {
  const others = unitCodes().filter((code) => code !== ui.settings.origin && code !== state.destination);
  const toggle = (code) => () =>
    ui.changeForm({ intermediate: state.intermediate.includes(code) ? state.intermediate.filter((unit) => unit !== code) : [...state.intermediate, code] });
  return { title: t("desk.intermediate"), nodes: others.map((code) => choice(`via:${code}`, unitName(code), state.intermediate.includes(code), toggle(code), true)), grid: "tiles" };
}

function cells(state, ui) {
  const change = (number, patch) => () => ui.changeForm({ cells: state.cells.map((cell) => (cell.cell === number ? { ...cell, ...patch } : cell)) });
  return {
    title: t("display.cells"),
    nodes: state.cells.map((cell) => {
      const element = cellTile({ cell: cell.cell }, String(cell.planned), [
        button({ key: `form:less:${cell.cell}`, sign: "minus", off: cell.planned === 0, run: change(cell.cell, { planned: cell.planned - 1 }) }),
        button({ key: `form:more:${cell.cell}`, sign: "plus", off: cell.planned === PLANNED_MAX, run: change(cell.cell, { planned: cell.planned + 1 }) }),
      ]);
      const flag = button({ key: `form:watch:${cell.cell}`, text: t("display.supervision"), sign: cell.supervision ? "box_tick" : "box", tone: `flag ${cell.supervision ? "warn" : ""}`, run: change(cell.cell, { supervision: !cell.supervision }) });
      element.classList.add("plan");
      element.append(flag);
      return element;
    }),
    grid: "plans",
  };
}

function summary(state) {
  const persons = state.cells.reduce((sum, cell) => sum + cell.planned, 0);
  const watched = state.cells.filter((cell) => cell.supervision && cell.planned > 0).map((cell) => t("display.cell", { n: cell.cell }));
  const extras = EXTRAS.filter((extra) => state[extra]).map((extra) => t(`kind.${extra}`));
  const rows = [
    [t("display.trip_kind"), [t(`kind.${state.kind}`), ...extras].join("; ")],
    [t("display.order"), `${state.number} · ${day(state.valid_until)}`],
    [t("desk.destination"), state.destination ? unitName(state.destination) : state.place],
    [t("desk.intermediate"), state.intermediate.map(unitName).join(", ") || "—"],
    [t("display.cells"), state.cells.filter((cell) => cell.planned).map((cell) => `${t("display.cell", { n: cell.cell })}: ${cell.planned}`).join(", ") + ` = ${persons}`],
    ...(watched.length ? [[t("count.supervision"), watched.join(", ")]] : []),
  ];
  return { title: t("button.open_trip"), nodes: rows.map(([title, words]) => tile("info", "advice", title, words)), grid: "lines" };
}
