// The contributions panel: what every base contributes to the prediction at a target.

import { element } from "../dom.js";
import { title } from "../lanes.js";
import { tellError } from "../messages.js";
import { around, read, written } from "../regions.js";
import { Work } from "../work.js";
import { asking, choice, field, files, headed, line, quiet } from "./form.js";

const METHODS = [
  ["grad", "Gradient x input: one pass"],
  ["grad-centred", "Gradient, centred over the letters"],
  ["ig", "Integrated gradients: sums to the prediction"],
];
const LOOKED_AT_BP = 150;

/** Makes the panel; a view that names a target is computed at once. */
export function mount(section, app) {
  new ContributionsPanel(section, app);
}

class ContributionsPanel {
  #done = null;

  constructor(section, app) {
    this.app = app;
    this.work = new Work();
    this.target = line({ placeholder: "chr20:42,984,341-42,984,341" });
    this.track = choice([]);
    this.method = choice(METHODS, app.view.method ?? "grad");
    this.answer = element("div", { class: "answer" });
    const form = element("form", { onsubmit: (event) => this.submit(event) },
      field("contributions-target", "Target", this.target, "Where the output is read, such as a start site; all that the model reads around it is explained."),
      quiet("Take the middle of the view", () => this.takeView()),
      field("contributions-track", "Track", this.track),
      field("contributions-method", "Method", this.method),
      element("div", { class: "buttons" }, asking("Explain")),
    );
    section.append(...headed("Contributions", "How much every base contributes to what is predicted at the target."), form, this.work.node, this.answer);
    app.view.addEventListener("change", ({ detail }) => {
      if (detail.has("tracks")) this.offer();
      if (detail.has("contributions")) this.take();
    });
    this.offer();
    this.take();
  }

  offer() {
    const chosen = this.track.options.length ? this.track.value : asked(this.app.view.of);
    const tracks = (this.app.view.tracks ?? []).map((index) => this.app.tracks.get(index)).filter(Boolean);
    const all = tracks.length > 1 ? [["", "Mean of the tracks on screen"]] : [];
    this.track.replaceChildren(...choice([...tracks.map((track) => [String(track.index), title(track)]), ...all]).children);
    if ([...this.track.options].some(({ value }) => value === chosen)) this.track.value = chosen;
  }

  takeView() {
    const { chrom, start, end } = this.app.genome.region;
    this.target.value = written(around({ chrom, start: Math.floor(start), end: Math.floor(end) }, 1));
  }

  take() {
    const { contributions } = this.app.view;
    if (!contributions) return this.show(null);
    if (contributions === this.#done) return undefined;
    this.target.value = contributions;
    return this.compute(false); // an address says where to look as well
  }

  submit(event) {
    event.preventDefault();
    if (!this.target.value.trim()) this.takeView();
    this.compute(true);
  }

  async compute(move) {
    const target = read(this.target.value);
    const tracks = this.track.value ? [Number(this.track.value)] : this.app.view.tracks ?? [];
    if (!target) return this.work.wrong("Write a target such as chr20:42,984,341-42,984,341.");
    if (!tracks.length) return this.work.wrong("No track is on screen; pick one to explain.");
    this.#done = written(target);
    const method = this.method.value;
    this.app.view.set({ contributions: this.#done, method, of: this.track.value || "mean" }, true);
    const track = this.track.selectedOptions[0]?.textContent;
    const answer = await this.work.ask("contributions", { target: this.#done, region: null, tracks, method });
    if (!answer) return undefined;
    this.show({ ...answer, method, track });
    return move && this.app.look(around(target, LOOKED_AT_BP)).catch(tellError);
  }

  show(answer) {
    if (!answer) this.#done = null;
    this.answer.replaceChildren(...(answer ? this.told(answer) : []));
    if (answer || this.app.results.contributions) this.app.answered("contributions", answer);
  }

  told({ job, result }) {
    const target = read(this.app.view.contributions);
    return [
      element("div", { class: "between" },
        quiet("The target", () => this.app.look(around(target, LOOKED_AT_BP))),
        quiet("All that was read", () => this.app.look(result)),
        quiet("Close", () => this.app.view.set({ contributions: null }))),
      element("p", { class: "hint" }, "Letters above the line raise the prediction, those below lower it. Zoom in until bars become letters."),
      files(job, "contributions"),
    ];
  }
}

// the view writes "mean" for the mean of the tracks on screen
const asked = (of) => (of === "mean" ? "" : of);
