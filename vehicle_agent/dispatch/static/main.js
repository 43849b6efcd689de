// The duty officer's page: what came over the stream, drawn; what a person presses, sent.

import * as alarms from "/static/alarms.js";
import { fill, find, make } from "/static/dom.js";
import { moment } from "/static/format.js";
import * as live from "/static/live.js";
import * as notices from "/static/notices.js";
import * as sign from "/static/sign.js";
import * as sound from "/static/sound.js";
import * as vehicles from "/static/vehicles.js";
import * as warnings from "/static/warnings.js";
import { LANGUAGES, choose, language, text } from "/static/words.js";

let events = [];
let isNew = false;
let isDrawn = true;
let criticals = new Set();

function acknowledge(row) {
  sign.ask(text("acknowledge"), notices.summary(row), async (who) => {
    const [answer, problem] = await sign.post(`/api/v1/notices/${encodeURIComponent(row.id)}/acknowledge`, who);
    if (problem) return problem;
    const isMine = answer.receipt.by === who.by;
    notices.take({ reset: false, rows: [answer] });
    redraw();
    return isMine ? null : text("already", { by: answer.receipt.by });
  });
}

function seen(row) {
  const about = `${text(`reason.${row.reason}`, { range: `${row.first ?? ""}–${row.last ?? ""}` })} ${row.vehicle} ${row.unit}`;
  sign.ask(text("seen"), about, async (who) => (await sign.post("/api/v1/warnings/seen", { ...who, key: row.key, count: row.count }))[1]);
}

function draw() {
  isDrawn = true;
  notices.draw(acknowledge, live.tick() ? Date.parse(live.tick().at) : null);
  vehicles.draw();
  warnings.draw(seen);
  alarms.drawLog(events.filter((row) => row.kind === "alarm"), live.tick()?.alarms);
  const others = events.filter((row) => row.kind !== "alarm");
  fill(find("events"), others, (row) => `${row.vehicle}${row.time}${row.kind}${JSON.stringify(row.data)}`, vehicles.eventLine, language);
  find("no-events").hidden = others.length > 0;
  const count = notices.waiting();
  document.title = count ? `(${count}) ${text("title")}` : text("title");
}

// Many messages of one moment are drawn once; a timer, because a page in the background gets no animation frames.
function redraw() {
  if (!isDrawn) return;
  isDrawn = false;
  setTimeout(draw, 30);
}

function drawHealth(tick) {
  find("clock").textContent = moment(tick.at);
  find("link").className = tick.broker.connected ? "fact" : "fact bad";
  find("link").textContent = tick.broker.connected ? text("link_ok") : text("link_lost");
  const outage = find("outage");
  outage.hidden = tick.broker.connected && !tick.problem;
  if (outage.hidden) return;
  const words = tick.problem
    ? [make("b", "", text("store_problem")), make("span", "detail", tick.problem)]
    : [make("b", "", `${text("link_lost")}.`), make("span", "", text("link_lost_do")), make("span", "detail", tick.broker.problem ?? "")];
  if (outage.shownContent !== language + JSON.stringify([tick.problem, tick.broker.problem])) {
    outage.shownContent = language + JSON.stringify([tick.problem, tick.broker.problem]);
    outage.replaceChildren(...words);
  }
}

function onTick(tick) {
  drawHealth(tick);
  draw();
  const now = new Set(vehicles.criticals());
  const isNewCritical = [...now].some((id) => !criticals.has(id));
  criticals = now;
  sound.call(notices.waiting() > 0, isNew || isNewCritical);
  isNew = false;
}

async function speak(name) {
  await choose(name);
  sound.draw();
  for (const button of find("languages").children) button.setAttribute("aria-pressed", String(button.dataset.language === name));
  draw();
  if (live.tick()) drawHealth(live.tick());
}

async function begin() {
  const desk = await (await fetch("/api/v1/desk")).json();
  find("units").textContent = desk.units.join(", ");
  for (const [name, label] of Object.entries(LANGUAGES)) {
    const button = make("button", "plain", label);
    button.type = "button";
    button.dataset.language = name;
    button.lang = name;
    button.addEventListener("click", () => speak(name));
    find("languages").append(button);
  }
  await speak(desk.language);
  sound.begin();
  sign.begin();
  live.begin({
    notices: (message) => { isNew = notices.take(message).length > 0 || isNew; redraw(); },
    vehicles: (message) => { vehicles.take(message); redraw(); },
    warnings: (message) => { isNew = warnings.take(message).length > 0 || isNew; redraw(); },
    events: (message) => { events = message.rows; redraw(); },
  }, onTick);
}

begin().catch((error) => {
  // The texts may be what is missing; say it in all three languages.
  live.cover(true);
  find("cover").textContent = `БЕТ ІСКЕ ҚОСЫЛМАДЫ · СТРАНИЦА НЕ ЗАПУСТИЛАСЬ · THE PAGE DID NOT START: ${error.message}`;
  setTimeout(() => location.reload(), 3000);
});
