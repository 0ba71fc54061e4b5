// What the page tells the reader: a line that goes away, and a line about work under way that can be cancelled.

import { byId } from "./dom.js";

const SHOWN_MS = 9000;
const QUICK_MS = 250; // what is quick needs no words
let timer;

/** Tells something in one sentence; `wrong` for what went wrong. */
export function tell(sentence, wrong = false) {
  const line = byId("message");
  line.textContent = sentence;
  line.classList.toggle("wrong", wrong);
  line.hidden = false;
  raise();
  clearTimeout(timer);
  timer = setTimeout(() => (line.hidden = true), SHOWN_MS);
}

/** Tells what went wrong, unless the reader cancelled it. */
export function tellError(error) {
  if (error.name !== "AbortError") tell(error.message, true);
}

/** Takes the message away. */
export function hush() {
  byId("message").hidden = true;
}

/** Shows that `what` is under way, with the seconds it has taken and a way to cancel it, until the returned function is called. */
export function working(what, cancel) {
  const line = byId("working");
  const since = performance.now();
  const seconds = byId("working-seconds");
  byId("working-what").textContent = what;
  byId("working-cancel").onclick = cancel;
  const tick = () => (seconds.textContent = `${((performance.now() - since) / 1000).toFixed(1)} s`);
  const late = setTimeout(() => {
    line.hidden = false;
    raise();
  }, QUICK_MS);
  const ticking = setInterval(tick, 100);
  tick();
  return () => {
    clearTimeout(late);
    clearInterval(ticking);
    line.hidden = true;
  };
}

// above an open dialog too
function raise() {
  const notices = byId("notices");
  if (!notices.showPopover) return;
  if (notices.matches(":popover-open")) notices.hidePopover();
  notices.showPopover();
}
