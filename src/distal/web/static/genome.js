// The genome browser: where it looks and which rows it has. All that the page wants of igv.js goes through here.

import igv from "./vendor/igv-3.8.10/igv.esm.min.js";
import { busy } from "./busy.js";
import { colours, onPaper } from "./palette.js";
import { font } from "./rows/row.js";
import { GenesRow } from "./rows/genes.js";
import { ArcsRow } from "./rows/arcs.js";
import { EffectsRow, LogoRow } from "./rows/letters.js";
import { ScoredRow } from "./rows/scored.js";
import { AllelesRow, DifferenceRow, SignalRow } from "./rows/signal.js";

const KINDS = {
  "distal-genes": GenesRow, "distal-arcs": ArcsRow, "distal-logo": LogoRow, "distal-effects": EffectsRow,
  "distal-scored": ScoredRow, "distal-signal": SignalRow, "distal-alleles": AllelesRow, "distal-difference": DifferenceRow,
};
const SEQUENCE_ORDER = -1;
const LEAST_BP = 20;

/** A genome browser in `holder`, looking at `region`. */
export async function open(holder, reference, region) {
  const styled = fetch("/static/igv.css").then((answer) => answer.text());
  for (const [type, row] of Object.entries(KINDS)) igv.registerTrackClass(type, row);
  const browser = await igv.createBrowser(holder, {
    reference: { ...reference, tracks: [] },
    locus: { chr: region.chrom, start: region.start, end: region.end },
    tracks: [{ type: "sequence", order: SEQUENCE_ORDER, removable: false }],
    nucleotideColors: { ...colours().letters },
    loadDefaultGenomes: false, // igv.js would ask its own server for a list of genomes
    search: false,
    showControls: false,
    showIdeogram: false,
    showTrackDragHandles: false,
    showGearColumn: false,
    minimumBases: LEAST_BP,
  });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(await styled);
  holder.shadowRoot.adoptedStyleSheets.push(sheet); // after igv.js's own, so that ours holds
  return new Genome(browser, holder);
}

/** The open browser; "moved" events tell when it looks elsewhere. */
class Genome extends EventTarget {
  #browser;
  #holder;
  #rows = new Map();
  #work = Promise.resolve();

  constructor(browser, holder) {
    super();
    this.#browser = browser;
    this.#holder = holder;
    inkRuler(browser);
    browser.on("locuschange", () => this.dispatchEvent(new Event("moved")));
    new ResizeObserver(() => this.#resized()).observe(holder);
  }

  /** The region on screen. */
  get region() {
    const [frame] = this.#browser.referenceFrameList;
    return { chrom: frame.chr, start: Math.max(0, frame.start), end: frame.end };
  }

  /** Looks at a region, kept within its chromosome. */
  goTo({ chrom, start, end }) {
    const chromosome = this.#browser.genome.getChromosome(chrom);
    if (!chromosome) return Promise.resolve();
    const width = Math.min(Math.max(LEAST_BP, end - start), chromosome.bpLength);
    const from = Math.max(0, Math.min((start + end - width) / 2, chromosome.bpLength - width));
    return this.#then(() => this.#browser.updateLoci([{ chr: chrom, start: Math.floor(from), end: Math.floor(from) + width }]));
  }

  /** Moves by a share of the screen: -0.5 is half a screen to the left. */
  pan(share) {
    this.slide(Math.round(share * this.#width));
  }

  /** Moves by pixels, as a finger or a wheel does. */
  slide(pixels) {
    const [frame] = this.#browser.referenceFrameList;
    if (frame.shiftPixels(pixels, this.#width, true)) this.#browser.updateViews();
  }

  /** Shows `factor` times as many bases around the middle, or around a position. */
  zoom(factor, position = undefined) {
    this.#browser.zoomWithScaleFactor(factor, position);
  }

  /** The genome position below a point of the window. */
  positionAt(clientX) {
    const column = this.#holder.shadowRoot.querySelector(".igv-column");
    const { left, width } = column.getBoundingClientRect();
    const { start, end } = this.region;
    return start + ((clientX - left) / width) * (end - start);
  }

  /** Has these rows and no others, in this order: {id, type, name…}; a row is made again when its `version` changes. */
  show(rows) {
    return this.#then(async () => {
      const wanted = new Map(rows.map((row) => [row.id, row]));
      for (const [id, row] of this.#rows) {
        if (wanted.has(id) && wanted.get(id).version === row.version) continue;
        this.#browser.removeTrack(row.track);
        this.#rows.delete(id);
      }
      const made = rows.filter((row) => !this.#rows.has(row.id));
      rows.forEach((row, place) => {
        const present = this.#rows.get(row.id);
        if (!present) return;
        present.track.order = place;
        if (row.height && row.height !== present.track.height) present.track.trackView.setTrackHeight(row.height);
      });
      await Promise.all(made.map((row) => this.#add(row, rows.indexOf(row))));
      this.#browser.reorderTracks();
      await this.#browser.updateViews();
      this.#repaint(); // marks run through the rows that stayed
    });
  }

  /** Draws everything again, in the present colours. */
  recolour() {
    return this.#then(() => {
      Object.assign(this.#browser.nucleotideColors, lower(colours().letters));
      this.#repaint();
    });
  }

  /** The view as an SVG drawing with the light colours, as text. */
  svg() {
    return onPaper(() => {
      Object.assign(this.#browser.nucleotideColors, lower(colours().letters));
      this.#browser.doShowTrackLabels = false; // rows write their own on paper
      try {
        return this.#browser.toSVG();
      } finally {
        this.#browser.doShowTrackLabels = true;
      }
    });
  }

  get #width() {
    return this.#browser.calculateViewportWidth(1);
  }

  async #add(row, place) {
    const track = await this.#browser.loadTrack({ ...row, order: place, removable: false });
    this.#rows.set(row.id, { track, version: row.version });
  }

  #repaint() {
    for (const view of this.#browser.trackViews) {
      view.repaintViews();
      view.paintAxis();
    }
  }

  #resized() {
    if (this.#holder.clientWidth > 0) this.#then(() => this.#browser.visibilityChange());
  }

  // what changes the browser happens one after the other: igv.js doesn't expect otherwise
  #then(act) {
    this.#work = this.#work.then(act, act);
    return busy(this.#work);
  }
}

// igv.js draws its ruler with the colours that the canvas has: black, which a dark page would hide
function inkRuler(browser) {
  const { track } = browser.trackViews.find((view) => view.track.type === "ruler");
  const draw = track.draw.bind(track);
  track.draw = (options) => {
    const { soft, line } = colours();
    options.context.fillStyle = soft;
    options.context.strokeStyle = line;
    font(options.context, 10.5);
    draw(options);
  };
}

function lower(letters) {
  const both = { ...letters };
  for (const [letter, colour] of Object.entries(letters)) both[letter.toLowerCase()] = colour;
  return both;
}
