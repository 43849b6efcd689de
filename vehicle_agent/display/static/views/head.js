// The header: where the trip stands, the driver, the boarding permit, the vehicle's clock; below it the gravest alarm.

import { button, h, icon, pressable } from "../ui.js";
import { t, time } from "../texts.js";
import * as alarms from "./alarms.js";

const PERMIT_PHASES = ["checking", "boarding", "securing"];

// What the permit block says: [sign, tone, words]. Green only when it is open and the relay answers.
export function permitState(snapshot) {
  const { permitted, open, energised, refusals } = snapshot.boarding;
  if (energised && !open) return ["crit", "crit", t("cause.permit_stuck")];
  if (open && permitted) return energised ? ["tick", "ok", t("permit.permitted")] : ["pause", "warn", t("display.permit_lamp_off")];
  if (!PERMIT_PHASES.includes(snapshot.phase)) return null;
  if (snapshot.phase === "securing") return null;
  if (!permitted || refusals.length > 0) return ["cross", "crit", t("permit.refused")];
  return snapshot.phase === "boarding" ? ["pause", "warn", t("permit.suspended")] : ["info", "advice", t("display.may_open")];
}

export function head(snapshot, clock, { showReasons, showMenu, isLocked }) {
  return [where(snapshot), permit(snapshot, showReasons), h("span", { class: "clock" }, time(clock)), isLocked ? null : button({ key: "menu", sign: "menu", tone: "plain", run: showMenu })];
}

function where(snapshot) {
  const { commander, body } = snapshot.counts;
  const isReady = snapshot.driver.ready;
  const isCounting = ["securing", "secured"].includes(snapshot.phase);
  const isLoaded = ["under_way", "arrived", "unloading"].includes(snapshot.phase);
  const hasDriver = ["checking", "boarding"].includes(snapshot.phase);
  return h(
    "div",
    { class: "where" },
    h("b", {}, t(`phase.${snapshot.phase}`)),
    hasDriver
      ? h("span", { class: isReady ? "ok" : "muted" }, icon(isReady ? "tick" : "ring", isReady ? "ok" : "muted"), h("span", {}, t(isReady ? "display.driver_ready" : "display.driver_not_ready")))
      : null,
    isLoaded ? h("span", {}, `${t("display.aboard")}: ${commander - snapshot.counts.unloaded}`) : null,
    isCounting ? h("span", { class: commander === body ? "" : "crit" }, `${t("display.commander")} ${commander} ${commander === body ? "=" : "≠"} ${t("display.body")} ${body}`) : null,
  );
}

function permit(snapshot, showReasons) {
  const state = permitState(snapshot);
  if (!state) return null;
  const [sign, tone, words] = state;
  return pressable("permit", showReasons, h("button", { type: "button", class: `permit ${tone}` }, icon(sign, tone), h("b", {}, words)));
}

// The strip under the header: the gravest alarm with what to do, else whom to tell by telephone, else nothing.
export function strip(snapshot, ui) {
  const alarm = alarms.strip(snapshot, ui);
  return alarm.length > 0 ? alarm : telephone(snapshot);
}

export function mustTelephone(snapshot) {
  const trip = snapshot.trip;
  const hasDeparted = ["under_way", "arrived", "unloading"].includes(snapshot.phase);
  return hasDeparted && trip && !trip.destination && trip.destination_place ? trip.destination_place : null;
}

function telephone(snapshot) {
  const place = mustTelephone(snapshot);
  if (!place) return [];
  return [h("div", { class: "alarm advice told" }, icon("info", "advice"), h("span", { class: "words" }, h("b", {}, t("display.telephone", { place }))))];
}
