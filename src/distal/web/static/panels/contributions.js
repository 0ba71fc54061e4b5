// The contributions panel: what every base contributes to the prediction at a target.

import { element } from "../dom.js";
import { tellError } from "../messages.js";
import { around, read, written } from "../regions.js";
import { Work } from "../work.js";
import { asking, choice, field, files, headed, line, quiet } from "./form.js";
import { TrackChoice } from "./track_choice.js";

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
    this.track = new TrackChoice(app);
    this.method = choice(METHODS, app.view.method ?? "grad");
    this.answer = element("div", { class: "answer" });
    const form = element("form", { onsubmit: (event) => this.submit(event) },
      field("contributions-target", "Target", this.target, "Where the output is read, such as a start site; all that the model reads around it is explained."),
      quiet("Take the middle of the view", () => this.takeView()),
      field("contributions-track", "Track", this.track.node),
      field("contributions-method", "Method", this.method),
      element("div", { class: "buttons" }, asking("Explain")),
    );
    section.append(...headed("Contributions", "How much every base contributes to what is predicted at the target."), form, this.work.node, this.answer);
    app.view.addEventListener("change", ({ detail }) => detail.has("contributions") && this.take());
    this.take();
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
    const { tracks, of, words: track } = this.track;
    if (!target) return this.work.wrong("Write a target such as chr20:42,984,341-42,984,341.");
    if (!tracks.length) return this.work.wrong("No track is on screen; pick one to explain.");
    const asked = (this.#done = written(target));
    const method = this.method.value;
    this.app.view.set({ contributions: asked, method, of }, true);
    const answer = await this.work.ask("contributions", { target: asked, region: null, tracks, method });
    if (!answer) return asked === this.#done && this.app.view.set({ contributions: null });
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
