// The mutagenesis panel: the effect of every substitution in a small region, as a heat map with a logo.

import { element } from "../dom.js";
import { around, length, read, written } from "../regions.js";
import { tellError } from "../messages.js";
import { Work } from "../work.js";
import { asking, field, files, headed, line, quiet } from "./form.js";
import { TrackChoice } from "./track_choice.js";

const USUAL_BP = 100;

/** Makes the panel; a view that names a region is computed at once. */
export function mount(section, app) {
  new MutagenesisPanel(section, app);
}

class MutagenesisPanel {
  #done = null;

  constructor(section, app) {
    this.app = app;
    this.most = app.about.limits.mutagenesis_bp ?? 400;
    this.work = new Work();
    this.region = line({ placeholder: "chr20:42,984,250-42,984,349" });
    this.track = new TrackChoice(app);
    this.answer = element("div", { class: "answer" });
    const form = element("form", { onsubmit: (event) => this.submit(event) },
      field("mutagenesis-region", "Region", this.region, `At most ${this.most} bp; three predictions a base.`),
      quiet("Take the middle of the view", () => this.takeView()),
      field("mutagenesis-track", "Track", this.track.node),
      element("div", { class: "buttons" }, asking("Replace every base")),
    );
    section.append(...headed("Mutagenesis", "Every base of a small region is replaced by the three others; each square is what that changes."), form, this.work.node, this.answer);
    app.view.addEventListener("change", ({ detail }) => detail.has("mutagenesis") && this.take());
    this.take();
  }

  takeView() {
    const seen = this.app.genome.region;
    const width = Math.min(this.most, seen.end - seen.start <= this.most ? Math.floor(seen.end) - Math.floor(seen.start) : USUAL_BP);
    this.region.value = written(around({ ...seen, start: Math.floor(seen.start), end: Math.floor(seen.end) }, width));
  }

  take() {
    const { mutagenesis } = this.app.view;
    if (!mutagenesis) return this.show(null);
    if (mutagenesis === this.#done) return undefined;
    this.region.value = mutagenesis;
    return this.compute(false); // an address says where to look as well
  }

  submit(event) {
    event.preventDefault();
    if (!this.region.value.trim()) this.takeView();
    this.compute(true);
  }

  async compute(move) {
    const region = read(this.region.value);
    const { tracks, of, words: track } = this.track;
    if (!region) return this.work.wrong("Write a region such as chr20:42,984,250-42,984,349.");
    if (region.end - region.start > this.most) {
      return this.work.wrong(`The region has ${length(region.end - region.start)}; ${this.most} bp at most.`);
    }
    if (!tracks.length) return this.work.wrong("No track is on screen; pick one to explain.");
    const asked = (this.#done = written(region));
    this.app.view.set({ mutagenesis: asked, of }, true);
    const answer = await this.work.ask("mutagenesis", { region: asked, tracks, target: null });
    if (!answer) return asked === this.#done && this.app.view.set({ mutagenesis: null });
    this.show({ ...answer, track });
    return move && this.app.look(region, 0.05).catch(tellError);
  }

  show(answer) {
    if (!answer) this.#done = null;
    this.answer.replaceChildren(...(answer ? this.told(answer) : []));
    if (answer || this.app.results.mutagenesis) this.app.answered("mutagenesis", answer);
  }

  told({ job, result }) {
    const region = written(result);
    return [
      element("div", { class: "between" },
        quiet(region, () => this.app.look(result, 0.05)),
        quiet("Close", () => this.app.view.set({ mutagenesis: null }))),
      element("p", { class: "hint" }, "Letters are as high as minus the mean effect of replacing the base. A dot is the base that is there."),
      files(job, "mutagenesis"),
    ];
  }
}
