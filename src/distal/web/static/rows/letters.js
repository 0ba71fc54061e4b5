// Rows of single bases: letters as high as what they contribute, and the effects of replacing each.

import { colours, diverging } from "../palette.js";
import { grouped } from "../regions.js";
import { Row, font, short, told, xOf } from "./row.js";

const LEGIBLE_PX = 5; // a base narrower than this is a bar, not a letter
const ORDER = "ACGT";

// outlines in a square of 100 by 100, y downward; the hole of A is reached by a cut
const OUTLINES = {
  A: "M0 100L36 0L64 0L100 100L76 100L69 78L31 78L38 58L63 58L50 21L31 78L24 100Z",
  C: "M100 33C94 12 77 0 53 0C20 0 0 21 0 50C0 80 20 100 53 100C77 100 94 88 100 66L76 61C73 73 65 79 53 79C35 79 25 68 25 50C25 32 35 21 53 21C65 21 73 27 76 38Z",
  G: "M98 31C92 11 77 0 53 0C20 0 0 21 0 50C0 80 20 100 55 100C73 100 89 93 100 83L100 46L53 46L53 65L76 65L76 73C70 77 63 79 55 79C36 79 25 68 25 50C25 32 36 21 53 21C64 21 71 26 75 36Z",
  T: "M0 0L100 0L100 20L62 20L62 100L38 100L38 20L0 20Z",
};
const STROKES = Object.fromEntries(Object.entries(OUTLINES).map(([letter, text]) => [letter, strokes(text)]));

/** Letters as high as their values, below zero where they are negative. config: letters, values, start, chrom. */
export class LogoRow extends Row {
  init(config) {
    super.init(config);
    this.autoscale = true;
  }

  async getFeatures(chr, start, end) {
    const { chrom, start: first, values, letters } = this.config;
    if (chr !== chrom) return [];
    const from = Math.max(0, Math.floor(start) - first);
    const to = Math.min(values.length, Math.ceil(end) - first);
    const bases = [];
    for (let i = from; i < to; i++) {
      bases.push({ chr, start: first + i, end: first + i + 1, value: values[i] ?? 0, letter: letters[i] });
    }
    return bases;
  }

  doAutoscale(bases) {
    const values = bases.map((base) => base.value);
    const top = values.reduce((most, value) => Math.max(most, value), 0);
    const bottom = values.reduce((least, value) => Math.min(least, value), 0);
    return top === bottom ? { min: 0, max: 1 } : { min: bottom, max: top || -bottom / 4 };
  }

  drawData(options) {
    const { context, pixelHeight, bpPerPixel, pixelWidth } = options;
    const { letters, line } = colours();
    const ground = this.y(0, pixelHeight);
    const width = 1 / bpPerPixel;
    const bases = width < 1 ? tallest(options) : options.features;
    for (const base of bases) {
      const x = xOf(base.start, options);
      if (x + width < 0 || x > pixelWidth || !base.value) continue;
      const y = this.y(base.value, pixelHeight);
      context.fillStyle = letters[base.letter] ?? letters.N;
      const box = [x, Math.min(y, ground), Math.max(1, width), Math.max(0.5, Math.abs(y - ground))];
      if (width < LEGIBLE_PX || !STROKES[base.letter]) context.fillRect(...box);
      else glyph(context, base.letter, ...box, base.value < 0);
    }
    context.fillStyle = line;
    context.fillRect(0, ground, pixelWidth, 1);
  }

  clickedFeatures({ genomicLocation, viewport }) {
    const place = Math.floor(genomicLocation);
    return (viewport.cachedFeatures ?? []).filter((base) => base.start === place);
  }

  popupData(click) {
    const [base] = this.clickedFeatures(click);
    if (!base) return [];
    return told([["Base", `${base.letter} at ${grouped(base.end)}`], [this.config.unit ?? "Contribution", short(base.value)]]);
  }
}

/** Four lines of squares, A C G T: what replacing each base by that letter changes. config: result of mutagenesis. */
export class EffectsRow extends Row {
  get top() {
    return 4;
  }

  async getFeatures(chr) {
    const { chrom, start, end } = this.config.result;
    return chr === chrom ? [{ chr, start, end, value: 0 }] : [];
  }

  drawData(options) {
    if (!options.features.length) return;
    const { context, pixelHeight, bpPerPixel, pixelWidth } = options;
    const { result, most } = this.config;
    const high = (pixelHeight - this.top - 2) / ORDER.length;
    const width = 1 / bpPerPixel;
    for (let i = 0; i < result.letters.length; i++) {
      const x = xOf(result.start + i, options);
      if (x + width < 0 || x > pixelWidth) continue;
      for (let row = 0; row < ORDER.length; row++) {
        const y = this.top + row * high;
        const effect = result.effects[i][row];
        const here = result.letters[i] === ORDER[row];
        context.fillStyle = here || effect === null ? colours().faint : diverging(effect / most);
        context.fillRect(x, y, width + 0.3, high - 1);
        if (here && width >= LEGIBLE_PX) dot(context, x + width / 2, y + high / 2 - 0.5);
      }
    }
  }

  paintAxis(context, width, height) {
    context.clearRect(0, 0, width, height);
    font(context, 11, "600");
    context.textAlign = "right";
    const high = (height - this.top - 2) / ORDER.length;
    for (let row = 0; row < ORDER.length; row++) {
      context.fillStyle = colours().letters[ORDER[row]];
      context.fillText(ORDER[row], width - 9, this.top + row * high + high / 2 + 4);
    }
  }

  popupData({ genomicLocation }) {
    const { result } = this.config;
    const i = Math.floor(genomicLocation) - result.start;
    if (i < 0 || i >= result.letters.length) return [];
    const effects = Array.from(ORDER, (letter, row) => [letter, result.effects[i][row]]);
    const known = effects.filter(([, effect]) => effect !== null);
    const ref = result.letters[i];
    return told([["Base", `${ref} at ${grouped(result.start + i + 1)}`], ...known.map(([to, effect]) => [`${ref} to ${to}`, short(effect)])]);
  }
}

/** Minus the mean effect of replacing each base. */
export function importance({ effects }) {
  return effects.map((row) => {
    const known = row.filter((effect) => effect !== null);
    return known.length ? -known.reduce((sum, effect) => sum + effect, 0) / known.length : 0;
  });
}

function dot(context, x, y) {
  context.fillStyle = colours().soft;
  context.fillRect(x - 1, y - 1, 2, 2);
}

function tallest({ features, bpPerPixel, bpStart }) {
  const columns = new Map();
  for (const base of features) {
    const column = Math.floor((base.start - bpStart) / bpPerPixel);
    const signed = base.value < 0 ? `-${column}` : column;
    const before = columns.get(signed);
    if (!before || Math.abs(base.value) > Math.abs(before.value)) columns.set(signed, base);
  }
  return columns.values();
}

function strokes(text) {
  const steps = text.match(/[MLCZ][^MLCZ]*/g);
  return steps.map((step) => [step[0], step.slice(1).trim().split(/[\s,]+/).filter(Boolean).map(Number)]);
}

function glyph(context, letter, x, y, width, height, down) {
  const px = (value) => x + (value / 100) * width;
  const py = (value) => y + ((down ? 100 - value : value) / 100) * height;
  context.beginPath();
  for (const [step, at] of STROKES[letter]) {
    if (step === "M") context.moveTo(px(at[0]), py(at[1]));
    else if (step === "L") context.lineTo(px(at[0]), py(at[1]));
    else if (step === "C") context.bezierCurveTo(px(at[0]), py(at[1]), px(at[2]), py(at[3]), px(at[4]), py(at[5]));
    else context.closePath();
  }
  context.fill();
}
