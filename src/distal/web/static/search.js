// The search box: a gene, a region, a variant or an rs number, and what is done with each.

import { get } from "./api.js";
import { byId } from "./dom.js";
import { hush, tellError } from "./messages.js";
import { around, holds } from "./regions.js";

const AROUND_VARIANT_BP = 20_000;
const AROUND_GENE = 0.15; // of its length, on either side

/** Makes the box work. */
export function mountSearch(app) {
  const box = byId("search-text");
  byId("search").addEventListener("submit", (event) => {
    event.preventDefault();
    if (box.value.trim()) find(app, box.value.trim()).then(() => byId("stage").focus(), tellError);
  });
}

/** Goes where `text` says. */
export async function find(app, text) {
  const found = await get("/api/search", { text });
  hush();
  const region = { chrom: found.chrom, start: found.start, end: found.end };
  if (found.variant) {
    app.view.step();
    app.view.set({ variant: found.variant, panel: "variant" });
    await lookAtVariant(app, region);
  } else if (found.kind === "gene") {
    app.view.step();
    app.view.set({ gene: found.gene });
    await app.look(region, AROUND_GENE);
  } else {
    app.view.step();
    await app.look(region);
  }
}

/** Looks at a variant, unless it is on screen and can be seen well. */
export async function lookAtVariant(app, region) {
  const seen = app.genome.region;
  const width = seen.end - seen.start;
  if (width > 1.5 * AROUND_VARIANT_BP || width < 500 || !holds(seen, region)) await app.look(around(region, AROUND_VARIANT_BP));
}
