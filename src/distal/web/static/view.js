// What is on screen, as the address's hash says it, so that a view can be shared; knows no server and no drawing.

const WORDS = ["at", "variant", "mutagenesis", "contributions", "method", "gene", "enhancers", "expression", "openness", "scores", "of", "panel", "model"];

/** The view: set() changes it, "change" events tell which parts changed (`detail`: a Set of names). */
export class View extends EventTarget {
  constructor() {
    super();
    Object.assign(this, read(location.hash));
    addEventListener("popstate", () => this.#take(read(location.hash)));
    addEventListener("hashchange", () => this.#take(read(location.hash)));
  }

  /** Changes parts of the view; `step` makes it a place that the browser's Back returns to. */
  set(changes, step = false) {
    const changed = this.#differing(changes);
    if (!changed.size) return;
    Object.assign(this, changes);
    this.#write(step);
    this.dispatchEvent(new CustomEvent("change", { detail: changed }));
  }

  /** Makes the present view a place that the browser's Back returns to. */
  step() {
    history.pushState(null, "", location.hash);
  }

  /** Notes where the reader is, without telling anybody. */
  moved(at) {
    this.at = at;
    this.#write(false);
  }

  #take(found) {
    if (!found.tracks) delete found.tracks; // an address that names none leaves those on screen
    const changed = this.#differing(found);
    Object.assign(this, found);
    if (changed.size) this.dispatchEvent(new CustomEvent("change", { detail: changed }));
  }

  #differing(changes) {
    const same = (a, b) => JSON.stringify(a ?? null) === JSON.stringify(b ?? null);
    return new Set(Object.keys(changes).filter((name) => !same(this[name], changes[name])));
  }

  #write(step) {
    const hash = `#${hashOf(this)}`;
    if (hash === location.hash) return;
    history[step ? "pushState" : "replaceState"](null, "", hash);
  }
}

function read(hash) {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const found = { tracks: null };
  for (const word of WORDS) found[word] = given.get(word);
  if (given.has("tracks")) {
    const numbers = given.get("tracks").split(",").map(Number);
    found.tracks = [...new Set(numbers.filter((n) => Number.isInteger(n) && n >= 0))];
  }
  return found;
}

function hashOf(view) {
  const parts = WORDS.filter((word) => view[word]).map((word) => [word, view[word]]);
  if (view.tracks) parts.push(["tracks", view.tracks.join(",")]);
  // : , and > may stand in a hash as they are, and are read more easily so
  return new URLSearchParams(parts).toString().replaceAll("%3A", ":").replaceAll("%2C", ",").replaceAll("%3E", ">");
}
