// The variant panel: REF against ALT around an edit, in the tracks on screen, and the scores of the difference.

import { get } from "../api.js";
import { element } from "../dom.js";
import { title } from "../lanes.js";
import { around, variant, written } from "../regions.js";
import { find } from "../search.js";
import { short } from "../rows/row.js";
import { Work } from "../work.js";
import { asking, field, files, headed, line, quiet, table } from "./form.js";

const TRANSITIONS = { A: "G", G: "A", C: "T", T: "C" };

/** Makes the panel; the view's variant is computed whenever it or the tracks change. */
export function mount(section, app) {
  new VariantPanel(section, app);
}

class VariantPanel {
  #for = null;

  constructor(section, app) {
    this.app = app;
    this.work = new Work();
    this.text = line({ placeholder: "chr20:42984264:C>T" });
    this.both = element("input", { type: "checkbox", id: "variant-both" });
    this.answer = element("div", { class: "answer" });
    const form = element("form", { onsubmit: (event) => this.submit(event) },
      field("variant-text", "Variant", this.text, "Chromosome, position counted from 1, REF > ALT; or an rs number where scores are served."),
      element("label", { class: "check" }, this.both, "Average both strands (twice the time)"),
      element("div", { class: "buttons" }, asking("Compare REF and ALT"), quiet("Edit the middle of the view", () => this.editMiddle())),
    );
    section.append(...headed("Variant", "What an edit of the sequence changes in every track on screen."), form, this.work.node, this.answer);
    this.both.addEventListener("change", () => this.compute());
    app.view.addEventListener("change", ({ detail }) => (detail.has("variant") || detail.has("tracks")) && this.compute());
    this.compute();
  }

  submit(event) {
    event.preventDefault();
    if (this.text.value.trim()) this.take(this.text.value.trim());
  }

  /** Takes the base in the middle of the screen, and the letter that most often takes its place. */
  async editMiddle() {
    try {
      const { chrom, start, end } = this.app.genome.region;
      const place = around({ chrom, start: Math.floor(start), end: Math.floor(end) }, 1);
      const { letters } = await get("/api/sequence", { region: written(place) });
      if (!TRANSITIONS[letters]) throw new Error(`The reference has ${letters} there; move to where its letters are known.`);
      this.take(`${chrom}:${place.end}:${letters}>${TRANSITIONS[letters]}`);
    } catch (error) {
      this.work.wrong(error.message);
    }
  }

  take(text) {
    find(this.app, text).then(() => this.compute(), (error) => this.work.wrong(error.message));
  }

  async compute() {
    const { view } = this.app;
    const tracks = view.tracks ?? [];
    this.text.value = view.variant ?? this.text.value;
    if (!view.variant || !tracks.length) {
      this.#for = null;
      this.work.cancel();
      this.show(null);
      if (view.variant) this.work.wrong("No track is on screen; pick some to see what the variant changes in them.");
      return;
    }
    const question = { variant: view.variant, tracks, rc: this.both.checked };
    if (JSON.stringify(question) === this.#for) return;
    this.#for = JSON.stringify(question);
    const answer = await this.work.ask("variant", question);
    if (JSON.stringify(question) === this.#for) this.show(answer);
  }

  show(answer) {
    if (!answer) this.#for = null;
    this.answer.replaceChildren(...(answer ? this.told(answer) : []));
    if (answer || this.app.results.variant) this.app.answered("variant", answer);
  }

  told({ job, result }) {
    const names = Object.keys(result.tracks[0]?.scores ?? {});
    const columns = [
      ["Track", "", (track) => title(this.app.tracks.get(track.index) ?? track)],
      ...names.map((name) => [name, "number", (track) => signed(track.scores[name])]),
    ];
    const { ref, alt } = variant(result.variant) ?? {};
    return [
      element("div", { class: "between" }, element("h3", {}, result.variant), quiet("Close", () => this.app.view.set({ variant: null }))),
      element("p", { class: "hint" }, ref && alt && ref.length !== alt.length ? "ALT's bins stand at REF's positions; what was inserted is left out of the drawing." : "Grey is REF, the line is ALT; below, ALT minus REF."),
      table(`Scores of ${result.variant}`, columns, result.tracks),
      files(job, result.variant.replace(/[:>]/g, "_")),
    ];
  }
}

const signed = (value) => `${value > 0 ? "+" : ""}${short(value ?? 0)}`;
