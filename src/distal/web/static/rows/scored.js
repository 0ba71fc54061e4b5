// A row of variants whose scores were written before: a stick each, as high as its strongest score.

import { colours, sheer } from "../palette.js";
import { Row, short, told, xOf } from "./row.js";

/** Rows of a score directory. config: variants [{chrom, start, end, name, score, track}], score (the column's name). */
export class ScoredRow extends Row {
  init(config) {
    super.init(config);
    this.autoscale = true;
  }

  async getFeatures(chr) {
    const here = this.config.variants.filter((variant) => variant.chrom === chr);
    return here.map((variant) => ({ ...variant, chr, value: variant.score })).sort((a, b) => a.start - b.start);
  }

  doAutoscale(variants) {
    const most = variants.reduce((largest, variant) => Math.max(largest, Math.abs(variant.value)), 0) || 1;
    const least = variants.some((variant) => variant.value < 0) ? -most : 0;
    return { min: least, max: most };
  }

  drawData(options) {
    const { context, pixelHeight, pixelWidth } = options;
    const { more, less, line } = colours();
    const ground = this.y(0, pixelHeight);
    context.fillStyle = line;
    context.fillRect(0, ground, pixelWidth, 1);
    for (const variant of options.features) {
      const x = xOf((variant.start + variant.end) / 2, options);
      const y = this.y(variant.value, pixelHeight);
      const colour = variant.value < 0 ? less : more;
      context.fillStyle = sheer(colour, 0.6);
      context.fillRect(x - 0.5, Math.min(y, ground), 1, Math.abs(y - ground));
      context.fillStyle = colour;
      context.beginPath();
      context.arc(x, y, 3, 0, 2 * Math.PI, false);
      context.fill();
    }
  }

  clickedFeatures({ genomicLocation, viewport, referenceFrame }) {
    const near = 5 * referenceFrame.bpPerPixel;
    const variants = viewport.cachedFeatures ?? [];
    return variants.filter((variant) => Math.abs(variant.start - genomicLocation) <= near);
  }

  popupData(click) {
    return this.clickedFeatures(click).slice(0, 5).flatMap((variant) => told([
      ["Variant", variant.name],
      [this.config.score, `${short(variant.score)} in ${variant.track}`],
    ]));
  }
}
