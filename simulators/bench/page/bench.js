// The bench page: shows the wires as the bench has them, four times a second, and moves them through its HTTP interface.
"use strict";

const API = "api/v1";
const POLL_MS = 250;
const EVENTS_MAX = 200;

const BUTTONS = {
  driver_ready: "READY (driver)",
  driver_stop: "STOP (driver)",
  body_count: "COUNT (body)",
  alarm_button: "ALARM (body)",
};
const LAMPS = {
  permit_enable: ["Permit enable", "held high while boarding is open; the relay also needs pulses", "#1e6b3a"],
  ready_lamp: ["Ready lamp", "on the driver's panel", "#1e6b3a"],
  permit_lamp_red: ["Red lamp", "boarding refused", "#b3121d"],
  buzzer: ["Buzzer", "", "#8a4b00"],
  fan_inhibit: ["Fan inhibit", "interrupts the fan, at most 10 s", "#1f4e8c"],
  light_inhibit: ["Light inhibit", "interrupts the light, at most 10 s", "#1f4e8c"],
  beacon_test: ["Beacon test", "lights the beacon", "#1f4e8c"],
  intercom_tone: ["Intercom tone", "", "#1f4e8c"],
};
// In the order of the page.
const MEANING = {
  driver_ready: ["pressed", "let go"],
  driver_stop: ["pressed", "let go"],
  body_count: ["pressed", "let go"],
  alarm_button: ["pressed", "let go"],
  handbrake: ["applied", "released"],
  ignition: ["engine on", "engine off"],
  airflow: ["air flows", "no air"],
  light_sense: ["light seen", "dark"],
  beacon_sense: ["beacon lit", "beacon dark"],
  intercom_return: ["tone heard", "silent"],
  fan_switch: ["crew's switch on", "crew's switch off"],
  light_switch: ["crew's switch on", "crew's switch off"],
  beacon_switch: ["crew's switch on", "crew's switch off"],
  permit_readback: ["relay seen closed", "relay seen open"],
};
const CUTTERS = ["cut", "short", "leak"];
const CELSIUS = "°C"; // among a wire's words: it takes a temperature
const HINTS = {
  auto: "as the simulated vehicle has it",
  cut: "the wire is broken",
  short: "the wires touch each other",
  leak: "water across the wires: a level that is no state",
};
const SHOWN = {
  gnss: ["latitude_deg", "longitude_deg", "speed_mps", "course_deg", "link"],
  radio: ["rssi_dbm", "link"],
  broker: ["port", "connections"],
};
const MODES = {
  gnss: ["parked", "route", "off", "garbage", "jam", "spoof", "unplug"],
  radio: ["registered", "searching", "silent", "garbage", "unplug"],
  broker: ["up", "down", "half_open", "slow"],
};

const find = (selector, root = document) => root.querySelector(selector);
const rows = new Map();
let lastEvent = 0;
let lastAnswerMs = performance.now();

function make(tag, attributes = {}, ...children) {
  const element = Object.assign(document.createElement(tag), attributes);
  element.append(...children);
  return element;
}

async function call(method, path, body) {
  const answer = await fetch(`${API}/${path}`, {
    method,
    headers: body === undefined ? {} : { "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: method === "GET" ? AbortSignal.timeout(2000) : undefined,
  });
  const content = await answer.json();
  if (!answer.ok) {
    throw new Error(typeof content.detail === "string" ? content.detail : JSON.stringify(content.detail));
  }
  return content;
}

async function act(method, path, body) {
  try {
    await call(method, path, body);
    find("#problem").hidden = true;
  } catch (error) {
    find("#problem").textContent = `${say("Not done")}: ${error.message}`;
    find("#problem").hidden = false;
  }
  poll();
}

function wireRow(name, wire) {
  const words = make("td", { className: "words" });
  if (wire.allowed.includes("idle")) words.append(finger(name));
  if (wire.allowed.includes(CELSIUS)) words.append(thermometer(name, wire.level));
  for (const word of [...wire.allowed.filter((each) => !CUTTERS.includes(each)), ...CUTTERS]) {
    if (!wire.allowed.includes(word) || word === CELSIUS) continue;
    if (word === "cut") words.append(make("span", { className: "gap" }));
    const button = make("button", { type: "button", textContent: say(word.replace("_", " ")), className: CUTTERS.includes(word) ? "cutter" : "" });
    button.dataset.word = word;
    button.title = say(HINTS[word] ?? "");
    button.onclick = () => act("PUT", `wires/${name}`, { set: word });
    words.append(button);
  }
  const level = make("td", { className: "level" });
  const row = make("tr", {}, make("td", { textContent: say(name.replaceAll("_", " ")) }), level, words);
  row.dataset.wire = name;
  const isCare = wire.allowed.includes("idle") || wire.allowed.includes(CELSIUS);
  if (isCare) find("#care").hidden = false;
  find(isCare ? "#care tbody" : wire.allowed.includes("locked") ? "#loops tbody" : "#contacts tbody").append(row);
  rows.set(name, { row, level, isContact: wire.allowed.includes("closed") });
}

function finger(name) {
  const push = make("button", { type: "button", className: "push", textContent: say("press"), title: say("a click presses for 0.5 s") });
  push.onclick = () => act("POST", `press/${name}`, { hold_s: 0.5 });
  return push;
}

function thermometer(name, level) {
  const celsius = make("input", { type: "number", step: "0.5", value: level, ariaLabel: CELSIUS });
  celsius.onchange = () => act("PUT", `wires/${name}`, { set: celsius.value });
  return make("label", {}, `${CELSIUS} `, celsius);
}

function meaningOf(name, word) {
  if (word === "cut") return say("cut: reads as open");
  if (word === "short") return say("short: reads as closed");
  return `${say(word)}: ${say(MEANING[name]?.[word === "closed" ? 0 : 1] ?? "")}`;
}

function showWires(wires) {
  const known = Object.keys(MEANING).filter((name) => name in wires);
  for (const name of [...Object.keys(wires).filter((each) => !known.includes(each)), ...known]) {
    const wire = wires[name];
    if (wire.direction === "output") {
      const lamp = find(`#lamps [data-output="${name}"]`);
      lamp?.classList.toggle("on", wire.level);
      if (lamp) find("b", lamp).textContent = say(wire.level ? "ON" : "off");
      continue;
    }
    if (!rows.has(name)) wireRow(name, wire);
    const { row, level, isContact } = rows.get(name);
    const [word, ...over] = wire.level.split("+");
    level.textContent = [isContact ? meaningOf(name, word) : say(word.replace("_", " ")), ...over.map(say)].join(" + ");
    level.classList.toggle("fault", Boolean(wire.fault) || over.length > 0 || CUTTERS.includes(word));
    row.classList.toggle("hand", wire.set !== "auto");
    for (const button of row.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(button.dataset.word === wire.set));
    }
    if (name in BUTTONS) {
      find(`#buttons [data-button="${name}"]`).classList.toggle("down", ["closed", "short"].includes(wire.level));
    }
  }
}

function showRelay(relay) {
  find("#relay").className = relay.closed ? "closed" : "open";
  find("#relay-state").textContent = say(relay.closed ? "CLOSED" : "OPEN");
  find("#relay-since").textContent = say(
    relay.closed ? "energised: enable is high and pulses come" : "released: enable is low or no pulse came for 200 ms",
  );
}

function showDevices(devices) {
  for (const name of Object.keys(MODES)) {
    const state = devices[name];
    const form = find(`#${name}`);
    form.hidden = state === undefined;
    if (state === undefined) continue;
    const shown = SHOWN[name].filter((key) => state[key] !== null && state[key] !== undefined);
    find("output", form).textContent = [say(state.mode.replace("_", " ")), ...shown.map((key) => `${key} ${state[key]}`)].join(" · ");
    for (const button of form.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(button.dataset.mode === state.mode));
    }
  }
}

function showProcesses(pids) {
  const entries = Object.entries(pids);
  find("#processes").hidden = entries.length === 0;
  find("#processes").textContent = `${say("Processes")}: ${entries.map(([name, pid]) => `${name} ${pid}`).join(" · ")}`;
}

async function showEvents() {
  const entries = await call("GET", `timeline?after=${lastEvent}`);
  const list = find("#events ol");
  for (const entry of entries.slice(-EVENTS_MAX)) {
    const level = typeof entry.level === "boolean" ? say(entry.level ? "ON" : "off") : say(entry.level.replace("_", " "));
    const shown = entry.wire === "permit_relay" ? say(entry.level ? "CLOSED" : "OPEN") : level;
    list.prepend(
      make(
        "li",
        {},
        make("time", { textContent: `${(entry.t_ns / 1e9).toFixed(2)} s` }),
        make("span", { textContent: say(entry.wire.replaceAll("_", " ")) }),
        make("b", { textContent: shown }),
      ),
    );
  }
  while (list.childElementCount > EVENTS_MAX) list.lastElementChild.remove();
  if (entries.length) lastEvent = entries.at(-1).n;
}

let polling = false;
async function poll() {
  if (polling) return;
  polling = true;
  try {
    const bench = await call("GET", "bench");
    showWires(bench.wires);
    showRelay(bench.permit_relay);
    showDevices(bench.devices);
    showProcesses(bench.pids);
    await showEvents();
    lastAnswerMs = performance.now();
  } catch {
    // `watch` tells, once the answer is too old.
  } finally {
    polling = false;
  }
}

function watch() {
  const isDead = performance.now() - lastAnswerMs > 1500;
  document.body.classList.toggle("dead", isDead);
  find("#live").classList.toggle("dead", isDead);
  find("#live").textContent = say(isDead ? "BENCH DOES NOT ANSWER" : "live");
}

function buildPanel() {
  for (const [name, label] of Object.entries(BUTTONS)) {
    const press = (seconds) => () => act("POST", `press/${name}`, { hold_s: seconds });
    const box = make(
      "div",
      {},
      make("button", { type: "button", className: "push", textContent: say(label), onclick: press(0.5) }),
      make("button", { type: "button", textContent: say("hold 5 s"), onclick: press(5) }),
      make("button", { type: "button", textContent: say("hold 12 s"), onclick: press(12) }),
      make("small", { textContent: say("a click presses for 0.5 s") }),
    );
    box.dataset.button = name;
    find("#buttons").append(box);
  }
  for (const [name, [label, hint, colour]] of Object.entries(LAMPS)) {
    const item = make("li", {}, make("i"), make("span", {}, say(label), make("small", { textContent: say(hint) })), make("b", { textContent: say("off") }));
    item.dataset.output = name;
    item.style.setProperty("--lamp", colour);
    find("#lamps").append(item);
  }
}

function field(label, id, value, className = "") {
  return make("label", {}, say(label), make("input", { id, value, className, autocomplete: "off" }));
}

function bodyOf(device, mode) {
  const number = (id) => Number(find(`#${id}`).value);
  if (device === "radio" && mode === "registered") return { mode, rssi_dbm: number("rssi") };
  if (device === "gnss" && mode === "parked") {
    return { mode, latitude_deg: number("latitude"), longitude_deg: number("longitude") };
  }
  if (device === "gnss" && mode === "route") {
    const points = find("#waypoints").value.split(";").map((point) => point.trim().split(/[\s,]+/).map(Number));
    return { mode, waypoints: points, speed_mps: number("speed") };
  }
  return { mode };
}

function buildDevices() {
  for (const [device, modes] of Object.entries(MODES)) {
    const form = find(`#${device}`);
    form.onsubmit = (event) => event.preventDefault();
    for (const mode of modes) {
      const button = make("button", { type: "button", textContent: say(mode.replace("_", " ")) });
      button.dataset.mode = mode;
      button.onclick = () => act("PUT", device, bodyOf(device, mode));
      find("div", form).append(button);
    }
  }
  find("#gnss > div").append(
    field("latitude", "latitude", "43.2389"),
    field("longitude", "longitude", "76.8897"),
    field("speed m/s", "speed", "15"),
    field("route", "waypoints", "43.2389 76.8897; 43.2600 76.9300; 43.2800 76.9500", "wide"),
  );
  find("#radio > div").append(field("dBm", "rssi", "-84"));
}

find("#all-auto").onclick = async () => {
  const { wires } = await call("GET", "wires");
  for (const [name, wire] of Object.entries(wires)) {
    if (wire.direction === "input" && wire.set !== "auto") await act("PUT", `wires/${name}`, { set: "auto" });
  }
};
sayPage();
buildPanel();
buildDevices();
poll();
setInterval(poll, POLL_MS);
setInterval(watch, 250);
