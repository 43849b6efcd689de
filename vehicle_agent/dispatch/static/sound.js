// The call for a new notice. A browser lets a page sound only after a press, so the page says whether it can.

import { find } from "/static/dom.js";
import { text } from "/static/words.js";

const AGAIN_MS = 10000; // the call comes again until somebody acknowledges
let context = null;
let calledAt = -AGAIN_MS;

export const isOn = () => context !== null && context.state === "running";

export function draw() {
  const button = find("sound");
  button.textContent = isOn() ? text("sound_on") : text("sound_off");
  button.className = isOn() ? "" : "attention";
  button.dataset.state = isOn() ? "on" : "off";
}

export function begin() {
  document.addEventListener("click", enable);
  document.addEventListener("keydown", enable);
}

async function enable(press) {
  const wasOn = isOn();
  context ??= new AudioContext();
  context.onstatechange = draw;
  await context.resume();
  draw();
  if (!wasOn && press.target === find("sound")) ring(660, 0);
}

function ring(frequency_hz, delay_s) {
  const at = context.currentTime + delay_s;
  const tone = context.createOscillator();
  const volume = context.createGain();
  tone.frequency.value = frequency_hz;
  volume.gain.setValueAtTime(0.0001, at);
  volume.gain.exponentialRampToValueAtTime(0.4, at + 0.02);
  volume.gain.exponentialRampToValueAtTime(0.0001, at + 0.35);
  tone.connect(volume).connect(context.destination);
  tone.start(at);
  tone.stop(at + 0.4);
}

// Call once for something new, and again every ten seconds while `isWaiting`.
export function call(isWaiting, isNew) {
  const now = performance.now();
  if (!isOn() || !(isNew || (isWaiting && now - calledAt >= AGAIN_MS))) return;
  calledAt = now;
  [880, 660, 880].forEach((frequency_hz, index) => ring(frequency_hz, index * 0.4));
}
