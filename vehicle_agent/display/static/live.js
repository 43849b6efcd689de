// What is known of the vehicle, and whether it is known now (H20). By performance.now() only: a clock step changes nothing.

export const COVER_MS = 1800; // the page must say within 2 s that it is dead
const AGING_MS = 1000; // green is drawn only by a tick younger than this
const CHECK_MS = 50;
const SILENT_MS = 3000; // a stream that says nothing for so long is opened anew
const RETRY_MS = 1000;

export const live = {
  snapshot: null,
  tick: false, // flips with each tick: the mark in the header
};

let stream = null;
let heardAt = -Infinity;
let vouchedAt = -Infinity; // the last tick that vouched for the very snapshot which is drawn
let drawnRev = null;
let mismatches = 0;
let openedAt = -Infinity;
let onSnapshot = () => {};
let onTick = () => {};

export function start(draw, ticked) {
  onSnapshot = draw;
  onTick = ticked;
  open();
  setInterval(check, CHECK_MS);
}

export function isLive() {
  return performance.now() - vouchedAt < COVER_MS;
}

// Draws; only when that succeeded does the screen count as showing this rev.
export function take(snapshot) {
  live.snapshot = snapshot;
  onSnapshot();
  drawnRev = snapshot.rev;
}

export async function reload() {
  const response = await fetch("/api/v1/snapshot", { signal: AbortSignal.timeout(3000) });
  if (!response.ok) return null;
  const snapshot = await response.json();
  take(snapshot);
  return snapshot;
}

function open() {
  stream?.close();
  openedAt = performance.now();
  stream = new EventSource("/api/v1/stream");
  stream.addEventListener("snapshot", (event) => {
    heardAt = performance.now();
    take(JSON.parse(event.data));
  });
  stream.addEventListener("tick", (event) => {
    heardAt = performance.now();
    vouch(JSON.parse(event.data));
  });
}

function vouch(tick) {
  if (tick.rev !== drawnRev) {
    mismatches += 1;
    if (mismatches >= 2) reload().catch(() => {});
    return;
  }
  mismatches = 0;
  vouchedAt = performance.now();
  live.tick = !live.tick;
  onTick(tick);
  check();
}

function check() {
  const now = performance.now();
  const age = now - vouchedAt;
  document.getElementById("cover").hidden = age < COVER_MS;
  document.body.classList.toggle("aging", age >= AGING_MS);
  const isDead = stream.readyState === EventSource.CLOSED;
  const isSilent = now - Math.max(heardAt, openedAt) > SILENT_MS;
  if ((isDead || isSilent) && now - openedAt > RETRY_MS) open();
}
