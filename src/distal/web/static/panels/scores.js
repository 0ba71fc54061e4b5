// The scores panel: rows of the score directory that the server was started with, filtered, in the table and as sticks.

import { get } from "../api.js";
import { element } from "../dom.js";
import { written } from "../regions.js";
import { short } from "../rows/row.js";
import { find } from "../search.js";
import { tellError } from "../messages.js";
import { asking, choice, field, headed, line, quiet, table } from "./form.js";

const PAGE = 100;
const FILTERS = ["of", "text", "tracks", "score", "least", "order"];

/** Makes the panel. */
export function mount(section, app) {
  new ScoresPanel(section, app);
}

class ScoresPanel {
  #turn = 0;

  constructor(section, app) {
    this.app = app;
    this.of = choice([["region", "In the view"], ["id", "With the rs number"], ["gene", "In the gene"]]);
    this.text = line({ placeholder: "rs6065681" });
    this.tracks = line({ placeholder: "assay=DNASE biosample~HepG2" });
    this.score = choice([["", "First score"], ["SAD", "SAD"], ["SAR", "SAR"]]);
    this.order = choice([["position", "Along the genome"], ["size", "Strongest first"]]);
    this.least = line({ type: "number", min: "0", step: "any", placeholder: "0" });
    this.wrong = element("p", { class: "problem", role: "alert", hidden: true });
    this.answer = element("div", { class: "answer" });
    this.textField = field("scores-text", "Name", this.text);
    this.textField.hidden = true;
    this.of.addEventListener("change", () => (this.textField.hidden = this.of.value === "region"));
    const form = element("form", { onsubmit: (event) => this.submit(event) },
      field("scores-of", "Variants", this.of), this.textField,
      field("scores-tracks", "Tracks", this.tracks, "A query; left empty, every track that was scored."),
      element("div", { class: "two" }, field("scores-score", "Score", this.score), field("scores-least", "At least", this.least)),
      field("scores-order", "Order", this.order),
      element("div", { class: "buttons" }, asking("Look up")),
    );
    this.take(new URLSearchParams(app.view.scores ?? ""));
    section.append(...headed("Scores", "Variants that were scored before, from the folder that the server was started with."), form, this.wrong, this.answer);
  }

  take(filters) {
    for (const [name, value] of filters) if (FILTERS.includes(name) && value) this[name].value = value;
    this.textField.hidden = this.of.value === "region";
    if ([...filters].length) this.look(0);
  }

  submit(event) {
    event.preventDefault();
    const filters = FILTERS.map((name) => [name, this[name].value.trim()]).filter(([, value]) => value);
    this.app.view.set({ scores: new URLSearchParams(filters).toString() }, true);
    return this.look(0);
  }

  async look(offset) {
    const turn = ++this.#turn;
    this.wrong.hidden = true;
    try {
      const asked = { ...(await this.where()), tracks: this.tracks.value, score: this.score.value, at_least: this.least.value, order: this.order.value, offset, limit: PAGE };
      const found = await get("/api/scores", asked);
      if (turn === this.#turn) this.show(found, offset);
    } catch (error) {
      this.wrong.textContent = error.message;
      this.wrong.hidden = false;
    }
  }

  async where() {
    const text = this.text.value.trim();
    if (this.of.value === "id") return { id: text };
    if (this.of.value === "gene") return { region: (await get("/api/search", { text })).region };
    return { region: written(this.app.genome.region) };
  }

  show(found, offset) {
    const score = found.scores.includes(this.score.value) ? this.score.value : found.scores[0];
    this.score.replaceChildren(...choice(found.scores.map((name) => [name, name])).children);
    this.score.value = score;
    this.answer.replaceChildren(...this.told(found, score, offset));
    this.app.answered("scores", found.rows.length ? { variants: strongest(found.rows, score), score, version: String(this.#turn) } : null);
  }

  close() {
    this.#turn++;
    this.answer.replaceChildren();
    this.app.view.set({ scores: null });
    this.app.answered("scores", null);
  }

  told(found, score, offset) {
    if (!found.rows.length) return [element("p", { class: "hint" }, "No variant that was scored lies there, or none as strong.")];
    const columns = [
      ["Variant", "", nameOf],
      ["Track", "track", (row) => row.description || row.track],
      [score, "number", (row) => (row.status === "scored" ? short(row[score] ?? 0) : row.status)],
    ];
    const last = Math.min(offset + PAGE, found.total);
    return [
      table("Scored variants", columns, found.rows, (row) => find(this.app, `${row.chrom}:${row.pos}:${row.ref}>${row.alt}`).catch(tellError)),
      element("div", { class: "between" },
        element("span", { class: "hint" }, `${offset + 1}-${last} of ${found.total}`),
        element("span", {},
          quiet("Before", () => this.look(Math.max(0, offset - PAGE)), { disabled: offset === 0 }), " ",
          quiet("After", () => this.look(offset + PAGE), { disabled: last >= found.total }))),
      quiet("Close", () => this.close()),
    ];
  }
}

const nameOf = (row) => (row.id && row.id !== "." ? `${row.id} ${row.ref}>${row.alt}` : `${row.pos.toLocaleString("en-US")} ${row.ref}>${row.alt}`);

function strongest(rows, score) {
  const found = new Map();
  for (const row of rows) {
    if (row.status !== "scored") continue;
    const key = `${row.chrom}:${row.pos}:${row.ref}>${row.alt}`;
    const value = row[score] ?? 0;
    if (Math.abs(value) < Math.abs(found.get(key)?.score ?? 0)) continue;
    const start = row.pos - 1;
    found.set(key, { chrom: row.chrom, start, end: start + row.ref.length, name: nameOf(row), score: value, track: row.description || row.track });
  }
  return [...found.values()];
}
