// Rows of binned values: one track's signal, REF under ALT, and their difference.

import { colours, muted, ofAssay } from "../palette.js";
import { grouped } from "../regions.js";
import { Row, short, told, xOf } from "./row.js";

/** Rows whose data are bins {chr, start, end, value}; scales to what is in view. */
class Binned extends Row {
  init(config) {
    super.init(config);
    this.autoscale = true;
  }

  doAutoscale(bins) {
    const most = bins.reduce((largest, bin) => Math.max(largest, bin.value), 0);
    return { min: 0, max: most || 1 };
  }

  clickedFeatures({ genomicLocation, viewport }) {
    const bins = viewport.cachedFeatures ?? [];
    return bins.filter((bin) => bin.start <= genomicLocation && genomicLocation < bin.end);
  }

  popupData(click) {
    const [bin] = this.clickedFeatures(click);
    if (!bin) return [];
    return told([["Track", this.config.title], ["Bases", `${grouped(bin.start + 1)}-${grouped(bin.end)}`], ...this.values(bin)]);
  }

  values(bin) {
    return [["Predicted", bin.value.toPrecision(4)]];
  }
}

/** A predicted track, asked for as the reader moves. config: signals, track, assay. */
export class SignalRow extends Binned {
  getFeatures(chr, start, end, bpPerPixel) {
    return this.predicted(chr, start, end, bpPerPixel);
  }

  /** Bins of the track, or undefined where the reader has moved on. */
  async predicted(chr, start, end, bpPerPixel) {
    const points = Math.min(4000, Math.max(200, Math.ceil((end - start) / bpPerPixel)));
    const region = { chrom: chr, start, end };
    const piece = await this.config.signals.over(this.config.track, region, points);
    if (!piece) return undefined;
    return piece.values.map((value, i) => bin(chr, piece.start, piece.binBp, i, { value: value ?? 0 }));
  }

  drawData(options) {
    area(this, options, "value", muted(ofAssay(this.config.assay), 0.86));
  }
}

/**
 * REF in grey under ALT as a line; where the variant was not predicted, the track as it is. config: as for SignalRow, and
 * result (of a variant) with the track's place in it.
 */
export class AllelesRow extends SignalRow {
  async getFeatures(chr, start, end, bpPerPixel) {
    const { result, place, signals } = this.config;
    const { ref, alt } = result.tracks[place];
    const edited = ref.map((value, i) => binned(result, i, { ref: value, alt: alt[i], value: Math.max(value, alt[i]) }));
    const here = chr === result.chrom ? edited : [];
    if (here.length && result.start <= start && end <= result.end) return here;
    if (end - start > signals.limits.region_bp) return here;
    const found = await this.predicted(chr, start, end, bpPerPixel);
    const beside = (found ?? []).filter((one) => !here.length || one.end <= result.start || one.start >= result.end);
    return [...beside, ...here].sort((a, b) => a.start - b.start);
  }

  drawData(options) {
    const edited = { ...options, features: options.features.filter((one) => one.alt !== undefined) };
    super.drawData({ ...options, features: options.features.filter((one) => one.alt === undefined) });
    area(this, edited, "ref", muted(colours().ref, 0.8));
    line(this, edited, "alt", colours().alt);
  }

  values(bin) {
    if (bin.alt === undefined) return super.values(bin);
    return [["REF", bin.ref.toPrecision(4)], ["ALT", bin.alt.toPrecision(4)]];
  }
}

/** ALT minus REF. config as for AllelesRow. */
export class DifferenceRow extends Binned {
  async getFeatures(chr) {
    const { result, place } = this.config;
    if (chr !== result.chrom) return [];
    return result.tracks[place].difference.map((value, i) => binned(result, i, { value: value ?? 0 }));
  }

  doAutoscale(bins) {
    const most = bins.reduce((largest, bin) => Math.max(largest, Math.abs(bin.value)), 0) || 1;
    return { min: -most, max: most };
  }

  get top() {
    return 3;
  }

  drawData(options) {
    const { more, less, line: grid } = colours();
    outside(this.config.result, options);
    area(this, options, "value", more, (value) => Math.max(0, value));
    area(this, options, "value", less, (value) => Math.min(0, value));
    options.context.fillStyle = grid;
    options.context.fillRect(0, this.y(0, options.pixelHeight), options.pixelWidth, 1);
  }

  paintAxis(context, width, height) {
    super.paintAxis(context, width, height);
    context.textAlign = "left";
    context.fillStyle = colours().soft;
    context.fillText("±", 4, this.top + 8);
  }

  values(bin) {
    return [["ALT - REF", `${bin.value > 0 ? "+" : ""}${short(bin.value)}`]];
  }
}

function bin(chr, start, binBp, i, values) {
  return { chr, start: start + i * binBp, end: start + (i + 1) * binBp, ...values };
}

const binned = (result, i, values) => bin(result.chrom, result.start, result.bin_bp, i, values);

// what lies outside the model's output has no prediction of this variant
function outside({ chrom, start, end }, options) {
  const { context, pixelWidth, pixelHeight, referenceFrame } = options;
  context.fillStyle = colours().faint;
  if (referenceFrame.chr !== chrom) return context.fillRect(0, 0, pixelWidth, pixelHeight);
  const from = xOf(start, options);
  const to = xOf(end, options);
  if (from > 0) context.fillRect(0, 0, from, pixelHeight);
  if (to < pixelWidth) context.fillRect(to, 0, pixelWidth - to, pixelHeight);
  return undefined;
}

function* inView({ features, bpStart, bpPerPixel, pixelWidth }) {
  const bpEnd = bpStart + bpPerPixel * pixelWidth;
  for (const feature of features) if (feature.end >= bpStart && feature.start <= bpEnd) yield feature;
}

function area(row, options, name, colour, part = (value) => value) {
  const { context, pixelHeight } = options;
  const ground = row.y(0, pixelHeight);
  context.fillStyle = colour;
  for (const feature of inView(options)) {
    const y = row.y(part(feature[name]), pixelHeight);
    if (y === ground) continue;
    const x = xOf(feature.start, options);
    // a hair wider than the bin, so that no seams shine through
    context.fillRect(x, Math.min(y, ground), xOf(feature.end, options) - x + 0.3, Math.abs(y - ground));
  }
}

function line(row, options, name, colour) {
  const { context, pixelHeight } = options;
  context.strokeStyle = colour;
  context.lineWidth = 1.6;
  context.beginPath();
  let begun = false;
  for (const feature of inView(options)) {
    const y = row.y(feature[name], pixelHeight);
    if (begun) context.lineTo(xOf(feature.start, options), y);
    else context.moveTo(xOf(feature.start, options), y);
    context.lineTo(xOf(feature.end, options), y);
    begun = true;
  }
  if (begun) context.stroke();
}
