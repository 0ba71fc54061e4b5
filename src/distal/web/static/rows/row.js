// What every row of the genome browser has: an axis, marks across it, a label on paper; knows no data.

import igv from "../vendor/igv-3.8.10/igv.esm.min.js";
import { escaped } from "../dom.js";
import { colours, sheer } from "../palette.js";

const FONT = "system-ui, 'DejaVu Sans', sans-serif";
const LABEL_PX = 15; // a row's label stands above its data, in this space

/** Regions that are shaded across every row: the variant, the target. */
export const marks = new Map();

/** A row; `config` has an id, a name, and what the kind of row needs. */
export class Row extends igv.TrackBase {
  static defaults = { height: 60, supportHiDPI: true };

  init(config) {
    super.init(config);
    this.type = config.type;
    this.autoscale = false;
    this.resolutionAware = true;
    this.dataRange = { min: 0, max: 1 };
  }

  async getFeatures() {
    return [];
  }

  computePixelHeight() {
    return this.height;
  }

  /** Where data begin: below the label. */
  get top() {
    return LABEL_PX;
  }

  /** Pixels from the row's top to `value`. */
  y(value, height) {
    const { min, max } = this.dataRange;
    return this.top + ((max - value) / (max - min || 1)) * (height - 1 - this.top);
  }

  draw(options) {
    const { context, pixelWidth, pixelHeight } = options;
    this.drawData(options);
    drawMarks(options);
    context.fillStyle = colours().faint;
    context.fillRect(0, pixelHeight - 1, pixelWidth, 1);
    if (context.isSVG) this.drawLabel(context);
  }

  drawData() {}

  drawLabel(context) {
    context.font = `11px ${FONT}`;
    context.textAlign = "left";
    context.fillStyle = colours().ink;
    context.fillText(this.config.title ?? this.id, 6, 11);
  }

  /** The largest and the smallest value, at the axis' ends. */
  paintAxis(context, width, height) {
    const { soft, line } = colours();
    context.clearRect(0, 0, width, height);
    if (!this.autoscale) return;
    const { min, max } = this.dataRange;
    context.font = `10px ${FONT}`;
    context.textAlign = "right";
    context.fillStyle = soft;
    context.fillText(short(max), width - 8, this.top + 8);
    if (min < 0) context.fillText(short(min), width - 8, height - 3);
    context.fillStyle = line;
    context.fillRect(width - 3, this.top, 1, height - this.top - 1);
  }

  /** A click on the label shows nothing more. */
  description() {
    return null;
  }

  menuItemList() {
    return [];
  }

  clickedFeatures() {
    return [];
  }

  popupData() {
    return [];
  }

  dispose() {
    this.trackView = undefined;
  }
}

/** A number in few characters. */
export function short(value) {
  const size = Math.abs(value);
  if (value === 0) return "0";
  if (size >= 100) return value.toFixed(0);
  if (size >= 1) return value.toFixed(1);
  return size >= 0.01 ? value.toFixed(2) : value.toExponential(0);
}

/** Pixels of a position. */
export const xOf = (position, { bpStart, bpPerPixel }) => (position - bpStart) / bpPerPixel;

/** What a click in a row shows: names and values, which igv.js takes for HTML. */
export const told = (pairs) => pairs.map(([name, value]) => ({ name: escaped(name), value: escaped(value) }));

/** Sets the type of text. */
export function font(context, pixels, weight = "normal") {
  context.font = `${weight} ${pixels}px ${FONT}`;
}

function drawMarks(options) {
  const { context, pixelHeight, referenceFrame } = options;
  const { mark } = colours();
  for (const { chrom, start, end } of marks.values()) {
    if (chrom !== referenceFrame.chr) continue;
    const from = xOf(start, options);
    const width = Math.max(1.5, xOf(end, options) - from);
    context.fillStyle = sheer(mark, width < 4 ? 0.75 : 0.16);
    context.fillRect(from, 0, width, pixelHeight);
  }
}
