// A row of genes: exons, introns with arrows along the strand, names; packed so that none overlap.

import { get } from "../api.js";
import { colours } from "../palette.js";
import { grouped, written } from "../regions.js";
import { Row, font, told, xOf } from "./row.js";

const LINE_PX = 23;
const LINES = 6; // at most; genes beyond are drawn over the last
const APART_PX = 8;
const ARROW_PX = 22;
const LETTER_PX = 7.5;

/** Genes of the annotation that the server was started with. config: limits. */
export class GenesRow extends Row {
  static defaults = { height: 4 + 2 * LINE_PX, supportHiDPI: true };

  async getFeatures(chr, start, end, bpPerPixel) {
    try {
      const found = await get("/api/genes", { region: written({ chrom: chr, start, end }) });
      const genes = found.map((gene) => ({ ...gene, chr, value: 0 })).sort((a, b) => a.start - b.start);
      this.trackView?.setTrackHeight(4 + LINE_PX * packed(genes, bpPerPixel));
      return genes;
    } catch {
      return []; // a view too wide for the server shows no genes
    }
  }

  drawData(options) {
    const { context, pixelWidth } = options;
    const { ink, soft } = colours();
    for (const gene of options.features) {
      const from = xOf(gene.start, options);
      const to = Math.max(from + 2, xOf(gene.end, options));
      if (to < 0 || from > pixelWidth) continue;
      const middle = 9 + gene.line * LINE_PX;
      body(options, gene, from, to, middle);
      font(context, 11, "500");
      context.textAlign = "left";
      context.fillStyle = gene.name === this.config.chosen ? ink : soft;
      context.fillText(gene.name, from, middle + 15);
    }
  }

  drawLabel() {} // the names say it

  clickedFeatures({ genomicLocation, viewport }) {
    return (viewport.cachedFeatures ?? []).filter((gene) => gene.start <= genomicLocation && genomicLocation < gene.end);
  }

  popupData(click) {
    const genes = this.clickedFeatures(click);
    return genes.flatMap((gene) => told([
      ["Gene", `${gene.name} (${gene.strand})`],
      ["Bases", `${grouped(gene.start + 1)}-${grouped(gene.end)}`],
      ["Start sites", gene.tss.map((site) => grouped(site + 1)).join(", ")],
    ]));
  }
}

function body(options, gene, from, to, middle) {
  const { context, pixelWidth } = options;
  const { ink } = colours();
  context.fillStyle = ink;
  context.strokeStyle = ink;
  context.lineWidth = 1;
  context.fillRect(from, middle - 0.5, to - from, 1);
  const tip = gene.strand === "-" ? -3 : 3;
  for (let x = Math.max(from, 0) + ARROW_PX / 2; x < Math.min(to, pixelWidth); x += ARROW_PX) {
    context.beginPath();
    context.moveTo(x - tip, middle - 3);
    context.lineTo(x, middle);
    context.lineTo(x - tip, middle + 3);
    context.stroke();
  }
  for (const [start, end] of gene.exons ?? []) {
    const x = xOf(start, options);
    context.fillRect(x, middle - 4.5, Math.max(1.5, xOf(end, options) - x), 9);
  }
}

/** Gives every gene a line on which it overlaps no other, and tells how many lines there are. */
function packed(genes, bpPerPixel) {
  const ends = [];
  for (const gene of genes) {
    const wide = Math.max((gene.end - gene.start) / bpPerPixel, gene.name.length * LETTER_PX) + APART_PX;
    let line = ends.findIndex((end) => end <= gene.start / bpPerPixel);
    if (line < 0) line = Math.min(ends.length, LINES - 1);
    gene.line = line;
    ends[line] = gene.start / bpPerPixel + wide;
  }
  return Math.max(1, ends.length);
}
