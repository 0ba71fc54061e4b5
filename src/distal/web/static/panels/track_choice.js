// The choice of what is explained: one of the tracks on screen, or their mean. Knows no question.

import { title } from "../lanes.js";
import { choice } from "./form.js";

const MEAN = "mean";

/** A select of the tracks on screen, which keeps to them; the view's `of` says what is chosen when the page opens. */
export class TrackChoice {
  constructor(app) {
    this.app = app;
    this.node = choice([]);
    this.#offer(app.view.of);
    app.view.addEventListener("change", ({ detail }) => detail.has("tracks") && this.#offer(this.node.value));
  }

  /** What the view writes for it. */
  get of() {
    return this.node.value;
  }

  /** Output channels; none where no track is on screen. */
  get tracks() {
    if (!this.node.value) return [];
    return this.node.value === MEAN ? this.app.view.tracks : [Number(this.node.value)];
  }

  /** In words. */
  get words() {
    return this.node.selectedOptions[0]?.textContent ?? "";
  }

  #offer(chosen) {
    const tracks = (this.app.view.tracks ?? []).map((index) => this.app.tracks.get(index)).filter(Boolean);
    const options = tracks.map((track) => [String(track.index), title(track)]);
    if (tracks.length > 1) options.push([MEAN, "Mean of the tracks on screen"]);
    this.node.replaceChildren(...choice(options).children);
    if (options.some(([value]) => value === chosen)) this.node.value = chosen;
  }
}
