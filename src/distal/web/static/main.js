// Puts the page together: what the server has, the view in the address, the genome browser and the panels.

import { get } from "./api.js";
import { busy } from "./busy.js";
import { afterPause, byId } from "./dom.js";
import { mountExport } from "./export.js";
import { open } from "./genome.js";
import { mountKeys } from "./keys.js";
import { lanes } from "./lanes.js";
import { legend } from "./legend.js";
import { tell, tellError, working } from "./messages.js";
import { arrangePanels, mountPanels } from "./rail.js";
import { around, grouped, length, read, variant, written } from "./regions.js";
import { marks } from "./rows/row.js";
import { mountSearch } from "./search.js";
import { Signals } from "./signals.js";
import { follow } from "./theme.js";
import { View } from "./view.js";

const FIRST_TRACKS = 3;
const MARGIN_PX = 24;

/** What all parts of the page share. */
class App {
  results = {};
  tracks = new Map();

  constructor(view, about, table) {
    this.view = view;
    this.about = about;
    this.table = table; // every track, and the facets of all
    this.signals = new Signals(about.limits);
  }

  /** Takes the answer to a question (null takes it away) and draws. */
  answered(verb, answer) {
    if (answer) this.results[verb] = answer;
    else delete this.results[verb];
    this.draw();
  }

  /** Draws the rows that the view wants. */
  draw() {
    this.#mark();
    legend(this);
    return busy(this.genome.show(lanes(this, room())).catch(tellError));
  }

  /** Looks at a region, with some room around it. */
  look(region, share = 0) {
    const room = Math.round((region.end - region.start) * share);
    return this.genome.goTo({ ...region, start: region.start - room, end: region.end + room });
  }

  #mark() {
    marks.clear();
    const edit = this.results.variant && variant(this.view.variant);
    if (edit) marks.set("variant", edit);
    const target = this.results.contributions && read(this.view.contributions);
    if (target) marks.set("target", target);
  }
}

async function begin() {
  const view = new View();
  let app = null;
  const turn = follow(() => app?.genome?.recolour());
  byId("theme").addEventListener("click", turn);
  const [about, table] = await Promise.all([get("/api/about"), get("/api/tracks")]);
  app = new App(view, about, table);
  for (const track of table.tracks) app.tracks.set(track.index, track);
  if (!view.tracks) view.tracks = about.start?.tracks ?? firstTracks(table.tracks);
  introduce(about);
  if (view.model && view.model !== about.model.name) {
    tell(`This link was made with ${view.model}; this page predicts with ${about.model.name}.`);
  }
  view.model = about.model.name;
  watch(app.signals);
  arrangePanels(app); // before the genome is measured
  app.genome = await open(byId("genome"), about.genome.igv, beginning(view, about));
  followPlace(app);
  mountSearch(app);
  mountPanels(app);
  mountExport(app);
  mountKeys(app);
  view.addEventListener("change", ({ detail }) => changed(app, detail));
  app.draw();
  document.documentElement.dataset.ready = "yes"; // it can be used, and says when it is busy
}

function beginning(view, about) {
  const asked = read(view.at);
  const known = asked && about.genome.chromosomes.some(({ name }) => name === asked.chrom);
  if (asked && !known) tell(`The genome has no ${asked.chrom}; showing its beginning instead.`, true);
  const [first] = about.genome.chromosomes;
  const fallback = { chrom: first.name, start: 0, end: Math.min(first.length, 200_000) };
  return (known && asked) || read(about.start?.region) || fallback;
}

function changed(app, names) {
  if (names.has("at")) {
    const region = read(app.view.at);
    if (region) app.genome.goTo(region);
  }
  if (names.has("tracks") || names.has("gene")) app.draw();
}

/** Pixels that rows may take before the page scrolls; none where the page scrolls as a whole. */
function room() {
  const stage = byId("stage");
  if (getComputedStyle(stage).overflowY === "visible") return 0;
  const others = [...stage.children].filter((part) => part.id !== "genome");
  return stage.clientHeight - others.reduce((sum, part) => sum + part.offsetHeight, 0) - MARGIN_PX;
}

function followPlace(app) {
  const show = () => {
    const { region } = app.genome;
    byId("place-text").textContent = written(region);
    byId("place-length").textContent = length(region.end - region.start);
    document.title = `${written(region)} · distal`;
  };
  const note = afterPause(() => app.view.moved(written(app.genome.region).replaceAll(",", "")), 200);
  app.genome.addEventListener("moved", () => {
    show();
    note();
  });
  show();
  note();
}

function watch(signals) {
  let done = () => {};
  signals.addEventListener("busy", ({ detail }) => {
    done();
    done = working(`Predicting ${written(around(detail, (detail.end - detail.start) / 3))}`, () => signals.cancel());
  });
  signals.addEventListener("idle", () => done());
  signals.addEventListener("wrong", ({ detail }) => tellError(detail));
}

function introduce({ version, model, genome }) {
  const reads = `reads ${grouped(model.input_bp)} bp, predicts ${grouped(model.tracks)} tracks in bins of ${model.bin_bp} bp`;
  byId("about").textContent = `${model.name} (${model.head}), ${model.licence}: ${reads} · ${genome.name} · distal ${version}`;
}

function firstTracks(tracks) {
  const chosen = tracks.filter((track) => track.biosample === "HepG2").slice(0, FIRST_TRACKS);
  for (const track of tracks) {
    if (chosen.length >= FIRST_TRACKS) break;
    if (!chosen.some(({ assay }) => assay === track.assay)) chosen.push(track);
  }
  return chosen.map(({ index }) => index);
}

begin().catch((error) => {
  tellError(error);
  byId("place-text").textContent = "The page could not start";
});
