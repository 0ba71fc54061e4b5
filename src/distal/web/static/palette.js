// Colours that are drawn with, light and dark: Okabe and Ito's, which colour-blind readers can tell apart.

const LIGHT = {
  ground: "#ffffff", ink: "#22252a", soft: "#6b7078", line: "#dcdad5", faint: "#efedea",
  ref: "#9a9da1", alt: "#D55E00", more: "#D55E00", less: "#0072B2", mark: "#E69F00", link: "#0072B2",
  letters: { A: "#009E73", C: "#0072B2", G: "#E69F00", T: "#D55E00", N: "#9a9da1" },
  assays: { DNASE: "#0072B2", ATAC: "#56B4E9", CAGE: "#D55E00", RNA: "#009E73", RNA3: "#E69F00", CHIP: "#CC79A7" },
};
const DARK = {
  ground: "#1b1e23", ink: "#e4e4e0", soft: "#9ba1a9", line: "#383d45", faint: "#262a30",
  ref: "#80858d", alt: "#F0803C", more: "#F0803C", less: "#56B4E9", mark: "#E69F00", link: "#56B4E9",
  letters: { A: "#2fbf94", C: "#56B4E9", G: "#E69F00", T: "#F0803C", N: "#80858d" },
  assays: { DNASE: "#4a9fdc", ATAC: "#8fd0f5", CAGE: "#F0803C", RNA: "#2fbf94", RNA3: "#E69F00", CHIP: "#dd98bf" },
};
const OTHERS = ["#CC79A7", "#E69F00", "#56B4E9", "#8a7fc7"];

let chosen = LIGHT;

/** The colours of the present theme. */
export const colours = () => chosen;

/** The colour of an assay; one that the palette doesn't name has one that stays its own. */
export function ofAssay(assay) {
  const named = chosen.assays[assay];
  if (named) return named;
  const sum = Array.from(assay || "").reduce((total, letter) => total + letter.charCodeAt(0), 0);
  return assay ? OTHERS[sum % OTHERS.length] : chosen.soft;
}

/** Says whether the page is dark. */
export function setDark(dark) {
  chosen = dark ? DARK : LIGHT;
}

/** What `draw` returns when it draws with the light colours: pictures are for paper. */
export function onPaper(draw) {
  const before = chosen;
  chosen = LIGHT;
  try {
    return draw();
  } finally {
    chosen = before;
  }
}

/** A colour of six hexadecimal digits, nearer to the ground. */
export const muted = (colour, share) => mixed(chosen.ground, colour, share);

/** A colour of six hexadecimal digits, `share` opaque. */
export function sheer(colour, share) {
  const part = (at) => Number.parseInt(colour.slice(at, at + 2), 16);
  return `rgba(${part(1)},${part(3)},${part(5)},${share})`;
}

/** The colour of an effect between -1 (less) and 1 (more): the ground where there is none. */
export function diverging(effect) {
  const share = Math.min(1, Math.abs(effect)) ** 0.7;
  return mixed(chosen.ground, effect < 0 ? chosen.less : chosen.more, share);
}

function mixed(from, to, share) {
  const part = (colour, at) => Number.parseInt(colour.slice(at, at + 2), 16);
  const parts = [1, 3, 5].map((at) => Math.round(part(from, at) + (part(to, at) - part(from, at)) * share));
  return `rgb(${parts.join(",")})`;
}
