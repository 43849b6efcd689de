// The stream, and the proof that it lives: without a tick for 2 s the page covers itself (H20). All by the steady clock.

import { find } from "/static/dom.js";
import { moment } from "/static/format.js";
import { text } from "/static/words.js";

const DEAD_AFTER_MS = 1800; // two ticks come a second; covered within 2 s
const RECONNECT_MS = 2000; // the browser's own reconnecting gives up after an error page

let lastTickAt = -Infinity;
let lastTick = null;
let source = null;
let openedAt = 0;

export const tick = () => lastTick;

// Above everything, also above an open dialog.
export function cover(isShown) {
  const element = find("cover");
  if (element.matches(":popover-open") !== isShown) element.togglePopover(isShown);
}

// Open the stream; `handlers` has one function for each kind of rows.
export function begin(handlers, onTick) {
  open(handlers, onTick);
  setInterval(() => watch(handlers, onTick), 200);
}

function open(handlers, onTick) {
  source?.close();
  openedAt = performance.now();
  source = new EventSource("/api/v1/stream");
  for (const [name, take] of Object.entries(handlers)) {
    source.addEventListener(name, (event) => take(JSON.parse(event.data)));
  }
  source.addEventListener("tick", (event) => {
    lastTick = JSON.parse(event.data);
    lastTickAt = performance.now();
    watch(handlers, onTick);
    onTick(lastTick);
  });
}

function watch(handlers, onTick) {
  const now = performance.now();
  const isDead = now - lastTickAt > DEAD_AFTER_MS;
  cover(isDead);
  if (!isDead) return;
  find("cover-since").textContent = lastTick ? text("last_data", { t: moment(lastTick.at) }) : "";
  if (now - openedAt > RECONNECT_MS && now - lastTickAt > RECONNECT_MS) open(handlers, onTick);
}
