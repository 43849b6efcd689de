// The dialog in which a named person signs. Name and post are kept in this page's memory only.

import { find } from "/static/dom.js";
import { text } from "/static/words.js";

let send = null;

export function begin() {
  find("sign-cancel").addEventListener("click", () => find("sign").close());
  find("sign").querySelector("form").addEventListener("submit", submit);
}

// Ask who signs. `doSend({by, post})` posts it and resolves to a problem in words, or null when it is done.
export function ask(title, about, doSend) {
  send = doSend;
  find("sign-title").textContent = title;
  find("sign-send").textContent = title;
  find("sign-about").textContent = about;
  find("sign-problem").textContent = "";
  const dialog = find("sign");
  if (!dialog.open) dialog.showModal();
  (find("sign-by").value ? (find("sign-post").value ? find("sign-send") : find("sign-post")) : find("sign-by")).focus();
}

async function submit(event) {
  event.preventDefault();
  const fields = [find("sign-by"), find("sign-post")];
  const empty = fields.find((field) => !field.value.trim());
  for (const field of fields) field.setAttribute("aria-invalid", String(field === empty));
  if (empty) {
    find("sign-problem").textContent = text("fill_in");
    empty.focus();
    return;
  }
  find("sign-send").disabled = true;
  const problem = await send({ by: fields[0].value.trim(), post: fields[1].value.trim() });
  find("sign-send").disabled = false;
  if (problem) find("sign-problem").textContent = problem;
  else find("sign").close();
}

// POST as JSON; [answer, problem in words].
export async function post(path, body) {
  try {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(12000),
    });
    if (answer.ok) return [await answer.json(), null];
    return [null, text("not_done", { t: answer.status })];
  } catch (error) {
    return [null, text("not_done", { t: error.name })];
  }
}
