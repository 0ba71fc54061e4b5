// A row of arcs from a gene's start sites to the elements that regulate it, higher and darker where they matter more.

import { colours, sheer } from "../palette.js";
import { grouped } from "../regions.js";
import { Row, short, told, xOf } from "./row.js";

/** Links of one gene. config: links [{chrom, start, end, tss, score, name}], method. */
export class ArcsRow extends Row {
  async getFeatures(chr) {
    const links = this.config.links.filter((link) => link.chrom === chr);
    return links.map((link) => ({ ...link, chr, value: link.score })).sort((a, b) => a.score - b.score);
  }

  drawData(options) {
    const { context, pixelHeight } = options;
    const { link: colour, mark } = colours();
    const ground = pixelHeight - 8;
    const most = this.config.links.reduce((largest, link) => Math.max(largest, link.score), 0) || 1;
    for (const link of options.features) {
      const share = Math.max(0, link.score) / most;
      context.strokeStyle = sheer(colour, 0.2 + 0.8 * share);
      context.lineWidth = 1 + 1.5 * share;
      bow(context, xOf(link.tss, options), xOf((link.start + link.end) / 2, options), ground, (ground - this.top) * Math.sqrt(share));
      context.fillStyle = sheer(colour, 0.4 + 0.6 * share);
      const x = xOf(link.start, options);
      context.fillRect(x, ground, Math.max(2, xOf(link.end, options) - x), 5);
    }
    context.fillStyle = mark;
    for (const site of new Set(options.features.map((link) => link.tss))) {
      context.fillRect(xOf(site, options) - 1.5, ground - 2, 3, 9);
    }
  }

  clickedFeatures({ genomicLocation, viewport, referenceFrame }) {
    const near = 4 * referenceFrame.bpPerPixel;
    const links = viewport.cachedFeatures ?? [];
    return links.filter((link) => link.start - near <= genomicLocation && genomicLocation < link.end + near);
  }

  popupData(click) {
    return this.clickedFeatures(click).slice(-3).flatMap((link) => told([
      ["Element", `${grouped(link.start + 1)}-${grouped(link.end)}`],
      ["Distance", `${grouped(Math.abs((link.start + link.end) / 2 - link.tss))} bp`],
      [this.config.method, short(link.score)],
    ]));
  }
}

function bow(context, from, to, ground, height) {
  context.beginPath();
  context.moveTo(from, ground);
  // a cubic whose control points stand 4/3 as high reaches `height`
  const top = ground - (height * 4) / 3;
  context.bezierCurveTo(from, top, to, top, to, ground);
  context.stroke();
}
