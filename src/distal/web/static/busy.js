// Counts what is under way and says so in an attribute of the page (html[data-busy]); knows nothing of what it is.

let underWay = 0;

/** Counts `work` (a promise) until it has ended, and returns it. */
export function busy(work) {
  const done = begun();
  work.then(done, done);
  return work;
}

/** Counts something that begins now; the function that is returned ends it, once. */
export function begun() {
  underWay += 1;
  tell();
  let ended = false;
  return () => {
    if (ended) return;
    ended = true;
    underWay -= 1;
    tell();
  };
}

function tell() {
  document.documentElement.toggleAttribute("data-busy", underWay > 0);
}
