// The enhancers panel: which elements regulate a gene, as arcs and as a table.

import { element } from "../dom.js";
import { grouped } from "../regions.js";
import { short } from "../rows/row.js";
import { tellError } from "../messages.js";
import { Work } from "../work.js";
import { asking, choice, field, files, headed, line, quiet, table } from "./form.js";

const METHODS = [
  ["gradient", "Gradients at its promoters"],
  ["gaussian", "Gradients, smoothed"],
  ["attention", "Attention of the transformer"],
  ["ism", "Shuffled elements: exact, slow"],
];
const SHOWN = 40;

/** Makes the panel; a view that asks for a gene's enhancers has them computed at once. */
export function mount(section, app) {
  new EnhancersPanel(section, app);
}

class EnhancersPanel {
  #for = null;
  #moves = false;

  constructor(section, app) {
    this.app = app;
    this.work = new Work();
    this.gene = line({ placeholder: app.about.start?.gene ?? "HNF4A", value: app.view.gene ?? app.about.start?.gene ?? "" });
    this.expression = line({ placeholder: "assay=CAGE biosample~HepG2" });
    this.openness = line({ placeholder: "assay=DNASE,ATAC biosample~HepG2" });
    this.method = choice(METHODS, "gradient");
    this.answer = element("div", { class: "answer" });
    const form = element("form", { onsubmit: (event) => this.submit(event) },
      field("enhancers-gene", "Gene", this.gene),
      field("enhancers-expression", "Expression tracks", this.expression, "A query; assay=CAGE when left empty."),
      field("enhancers-openness", "Accessibility tracks", this.openness, "They say where candidates are, and how open; assay=DNASE when left empty."),
      field("enhancers-method", "Method", this.method),
      element("div", { class: "buttons" }, asking("Find its enhancers")),
    );
    section.append(...headed("Enhancers", "Which elements the prediction at a gene's start sites owes to, beside ABC and distance."), form, this.work.node, this.answer);
    app.view.addEventListener("change", ({ detail }) => {
      if (detail.has("gene") && app.view.gene) this.gene.value = app.view.gene;
      if (["enhancers", "gene", "expression", "openness"].some((name) => detail.has(name))) this.take();
    });
    this.take();
  }

  take() {
    const { enhancers, gene, expression, openness } = this.app.view;
    if (!enhancers || !gene) return this.app.results.enhancers ? this.show(null) : undefined;
    Object.assign(this.gene, { value: gene });
    Object.assign(this.expression, { value: expression ?? "" });
    Object.assign(this.openness, { value: openness ?? "" });
    Object.assign(this.method, { value: enhancers });
    return this.compute();
  }

  submit(event) {
    event.preventDefault();
    const gene = this.gene.value.trim();
    if (!gene) return this.work.wrong("Write a gene's name, such as HNF4A.");
    const queries = { expression: this.expression.value.trim() || null, openness: this.openness.value.trim() || null };
    this.#moves = true; // an address says where to look itself
    this.app.view.set({ gene, enhancers: this.method.value, ...queries }, true);
    return this.compute();
  }

  async compute() {
    const gene = this.gene.value.trim();
    const asked = { gene, methods: [this.method.value] };
    if (this.expression.value.trim()) asked.tracks = this.expression.value.trim();
    if (this.openness.value.trim()) asked.accessibility = this.openness.value.trim();
    const key = JSON.stringify(asked);
    if (key === this.#for) return undefined;
    this.#for = key;
    const moves = this.#moves;
    this.#moves = false;
    const answer = await this.work.ask("enhancers", asked);
    if (!answer) return key === this.#for && this.drop();
    const names = Object.keys(answer.result.rows[0]?.scores ?? {});
    if (!names.length) return this.work.wrong(`No candidate element lies within reach of ${gene}.`);
    this.show({ ...answer, method: names.includes(this.method.value) ? this.method.value : names[0] });
    return moves && this.goToAll(answer.result);
  }

  /** Asks for nothing any more. */
  drop() {
    this.#for = null;
    this.app.view.set({ enhancers: null });
  }

  show(answer) {
    if (!answer) this.#for = null;
    this.answer.replaceChildren(...(answer ? this.told(answer) : []));
    this.app.answered("enhancers", answer);
  }

  told({ job, result, method }) {
    const names = Object.keys(result.rows[0].scores);
    const by = choice(names.map((name) => [name, name]), method);
    by.addEventListener("change", () => this.show({ job, result, method: by.value }));
    const rows = [...result.rows].sort((a, b) => (b.scores[method] ?? 0) - (a.scores[method] ?? 0)).slice(0, SHOWN);
    const columns = [
      ["Element", "", (row) => `${grouped(row.start + 1)}`],
      ["kb from start", "number", (row) => (((row.start + row.end) / 2 - row.tss) / 1000).toFixed(1)],
      [method, "number", (row) => short(row.scores[method] ?? 0)],
    ];
    return [
      element("div", { class: "between" }, quiet(`All of ${result.gene}`, () => this.goToAll(result)), quiet("Close", () => this.app.view.set({ enhancers: null }))),
      field("enhancers-by", "Order and arcs by", by),
      table(`Elements of ${result.gene}`, columns, rows, (row) => this.app.look(row, 1.5)),
      element("p", { class: "hint" }, result.rows.length > SHOWN ? `The first ${SHOWN} of ${result.rows.length} elements.` : `${result.rows.length} elements.`),
      files(job, `enhancers-${result.gene}`),
    ];
  }

  goToAll({ rows }) {
    const start = Math.min(...rows.map((row) => Math.min(row.start, row.tss)));
    const end = Math.max(...rows.map((row) => Math.max(row.end, row.tss)));
    return this.app.look({ chrom: rows[0].chrom, start, end }, 0.05).catch(tellError);
  }
}
