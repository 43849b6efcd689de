// Commands to control. The screen decides nothing: it sends what was pressed and shows the answer.

import { live, reload } from "./live.js";

const TIMEOUT_MS = 5000;
const NEEDS_PIN = Symbol("needs the commander's PIN");
let isBusy = false;
let onNeedPin = async () => {};
let onMessage = () => {};
let onBusy = () => {};

export function wire({ needPin, message, busy }) {
  onNeedPin = needPin;
  onMessage = message;
  onBusy = busy;
}

async function post(path, body) {
  const response = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  let data = {};
  try {
    data = await response.json();
  } catch {
    // an answer without a body is judged by its status
  }
  return { status: response.status, data, retryAfter: response.headers.get("Retry-After") };
}

// `by`: name or post of the commander; without one control takes the role.
export async function openSession(pin, by) {
  try {
    return await post("/api/v1/session", by ? { pin, by } : { pin });
  } catch {
    return { status: 503, data: {} };
  }
}

// `concerns(snapshot)`: what of the snapshot the person relied on. When something else changed in between, the command
// is sent once more by itself (`again` times); when that changed, the person is told to look again.
export async function command(name, args = {}, concerns = (snapshot) => snapshot.phase, again = 1) {
  if (isBusy || !live.snapshot) return false;
  const relied = JSON.stringify(concerns(live.snapshot));
  let result = await once(name, args, concerns, relied, again);
  if (result !== NEEDS_PIN) return result;
  await onNeedPin(); // never comes back when the person gives up
  // After the PIN, what was wanted is done only if what the person relied on is still so.
  if (JSON.stringify(concerns(live.snapshot)) !== relied) {
    onMessage({ code: "refused", refusals: [{ code: "stale_view" }] });
    return false;
  }
  result = await once(name, args, concerns, relied, again);
  return result === true;
}

async function once(name, args, concerns, relied, again) {
  setBusy(true);
  try {
    return await attempt(name, args, concerns, relied, live.snapshot.rev, again);
  } catch {
    onMessage({ code: "no_answer" });
    return false;
  } finally {
    setBusy(false);
  }
}

async function attempt(name, args, concerns, relied, rev, again) {
  const { status, data } = await post(`/api/v1/commands/${name}`, { rev, ...args });
  if (status === 200) {
    if (data.warnings?.length) onMessage({ code: "warning", warnings: data.warnings });
    return true;
  }
  if (args.pin !== undefined && status === 429) {
    onMessage({ code: "pin_locked", seconds: data.retry_after_s });
    return false;
  }
  if (args.pin !== undefined && status === 401 && data.error !== "no_session") {
    onMessage({ code: "pin_wrong" });
    return false;
  }
  if (status === 401) return NEEDS_PIN;
  if (status === 409 && data.refusals?.some((reason) => reason.code === "stale_view")) {
    const fresh = await reload();
    if (again > 0 && fresh && JSON.stringify(concerns(fresh)) === relied) {
      return attempt(name, args, concerns, relied, fresh.rev, again - 1);
    }
  }
  if (status === 409) onMessage({ code: "refused", refusals: data.refusals ?? [] });
  else if (status === 503) onMessage({ code: "control_gone" });
  else onMessage({ code: "not_accepted", detail: data.detail ?? data.error ?? String(status) });
  return false;
}

function setBusy(value) {
  isBusy = value;
  onBusy(value);
}
