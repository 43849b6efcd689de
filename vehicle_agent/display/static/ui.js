// Building and pressing. Everything from outside becomes text nodes; presses are followed by key, not by element, so that
// a redraw between press and release neither loses a press nor gives it to another button.

const HOLD_MS = 1500;
const DEBOUNCE_MS = 300;
const SVG = "http://www.w3.org/2000/svg";

const regions = new Map(); // region name -> Map(key -> action)
let building = null;
let pressed = null;
let quietUntil = 0; // presses before this are ignored
const lastFired = new Map();

export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") element.className = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const SHAPES = {
  tick: ["M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20Z", "M7 12.5l3.5 3.5L17 9"],
  box_tick: ["M3 3h18v18H3Z", "M7 12.5l3.5 3.5L17 9"],
  box: ["M4 4h16v16H4Z"],
  ring: ["M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16Z"],
  cross: ["M8 2h8l6 6v8l-6 6H8l-6-6V8Z", "M8.5 8.5l7 7M15.5 8.5l-7 7"],
  clock: ["M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20Z", "M12 6v6l4 3"],
  turn: ["M20 12a8 8 0 1 1-3-6.2", "M20 2v5h-5"],
  hand: ["M12 .5L23.500 12 12 23.500 .500 12Z", "M7.500 12.500l3.200 3.200 5.800-6.700"],
  unknown: ["M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20Z", "M9 9.5a3 3 0 1 1 4.5 2.6c-1 .6-1.5 1.2-1.5 2.4M12 17.5v.5"],
  warn: ["M12 2l10.5 19h-21Z", "M12 9v6M12 17.5v.5"],
  crit: ["M2 2h20v20H2Z", "M12 6v8M12 17v1"],
  info: ["M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20Z", "M12 11v6M12 7v.5"],
  pause: ["M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20Z", "M9.5 8v8M14.5 8v8"],
  menu: ["", "M4 6h16M4 12h16M4 18h16"],
  back: ["", "M15 4l-8 8 8 8"],
  forward: ["", "M9 4l8 8-8 8"],
  minus: ["", "M5 12h14"],
  plus: ["", "M5 12h14M12 5v14"],
  star: ["M12 2l3 6.5 7 .8-5.200 4.800 1.400 7L12 17.500 5.800 21.100l1.400-7L2 9.300l7-.8Z"],
};

// A filled shape with its sign cut out of it, or (no shape) the sign alone.
export function icon(name, tone = "") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", `icon ${name} ${tone}`);
  const [shape, sign] = SHAPES[name];
  if (shape) svg.append(path(shape, "shape"));
  if (sign) svg.append(path(sign, "sign"));
  return svg;
}

function path(d, className) {
  const element = document.createElementNS(SVG, "path");
  element.setAttribute("d", d);
  element.setAttribute("class", className);
  return element;
}

// A button: `hold` makes it act only after 1.5 s, with a ring that fills.
export function button({ key, text = "", sign = null, tone = "", hold = false, off = false, note = "", run, inside = [] }) {
  building?.set(key, { run, hold });
  return h(
    "button",
    { type: "button", class: `button ${tone} ${hold ? "hold" : ""}`, "data-key": key, disabled: off },
    sign ? icon(sign) : null,
    text || note ? h("span", { class: "words" }, h("span", {}, text), note ? h("small", {}, note) : null) : null,
    inside,
    hold ? h("i", { class: "fill" }) : null,
  );
}

// Something larger that acts as a button (a tile).
export function pressable(key, run, element) {
  building?.set(key, { run, hold: false });
  element.setAttribute("data-key", key);
  return element;
}

// Draw one region; untouched when nothing in it changed. True when it was redrawn.
export function draw(name, root, build) {
  const actions = new Map();
  building = actions;
  const nodes = build();
  building = null;
  regions.set(name, actions);
  const holder = document.createElement(root.tagName);
  holder.append(...nodes.filter(Boolean));
  if (root.drawnHtml === holder.innerHTML) return false;
  root.drawnHtml = holder.innerHTML;
  root.replaceChildren(...holder.childNodes);
  if (pressed?.hold) showHold();
  return true;
}

export function forget(name) {
  regions.delete(name);
}

// After another view appeared under the finger, a late press must not hit it.
export function quiet() {
  quietUntil = performance.now() + DEBOUNCE_MS;
  release();
}

function action(key) {
  for (const actions of regions.values()) if (actions.has(key)) return actions.get(key);
  return null;
}

function fire(key) {
  const now = performance.now();
  const found = action(key);
  if (!found || now - (lastFired.get(key) ?? -Infinity) < DEBOUNCE_MS) return;
  lastFired.set(key, now);
  found.run();
}

function target(x, y) {
  return document.elementFromPoint(x, y)?.closest("[data-key]:not([disabled])")?.dataset.key;
}

function showHold() {
  for (const element of document.querySelectorAll(".holding")) element.classList.remove("holding");
  if (!pressed?.hold) return;
  const element = document.querySelector(`[data-key="${CSS.escape(pressed.key)}"]`);
  if (!element) return release();
  element.style.setProperty("--held", `${-(performance.now() - pressed.at)}ms`);
  element.classList.add("holding");
}

function release() {
  clearTimeout(pressed?.timer);
  pressed = null;
  for (const element of document.querySelectorAll(".holding, .down")) element.classList.remove("holding", "down");
}

export function listen() {
  document.addEventListener("contextmenu", (event) => event.preventDefault());
  document.addEventListener("pointerdown", (event) => {
    const now = performance.now();
    const key = event.isPrimary && now >= quietUntil ? target(event.clientX, event.clientY) : null;
    release();
    if (!key) return;
    const hold = action(key)?.hold ?? false;
    pressed = { key, hold, at: now };
    if (hold) {
      pressed.timer = setTimeout(() => {
        release();
        fire(key);
      }, HOLD_MS);
      showHold();
    } else event.target.closest("[data-key]").classList.add("down");
  });
  document.addEventListener("pointermove", (event) => {
    if (pressed && target(event.clientX, event.clientY) !== pressed.key) release();
  });
  document.addEventListener("pointerup", (event) => {
    const wanted = pressed;
    release();
    if (wanted && !wanted.hold && target(event.clientX, event.clientY) === wanted.key) fire(wanted.key);
  });
  document.addEventListener("pointercancel", release);
  document.addEventListener("click", (event) => {
    if (event.detail !== 0) return; // only the keyboard; fingers were handled above
    const key = event.target.closest("[data-key]")?.dataset.key;
    if (key && !action(key)?.hold) fire(key);
  });
}
