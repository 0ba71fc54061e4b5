// Regions as people write them (chr20:42,984,160-42,984,444: from 1, both ends in) and as numbers (from 0, half-open).

const WRITTEN = /^([^\s:]+):([\d,]+)(?:-([\d,]+))?$/;

/** {chrom, start, end} of a written region, or null. */
export function read(text) {
  const found = WRITTEN.exec((text ?? "").trim());
  if (!found) return null;
  const first = Number(found[2].replaceAll(",", ""));
  const last = found[3] === undefined ? first : Number(found[3].replaceAll(",", ""));
  return first >= 1 && last >= first ? { chrom: found[1], start: first - 1, end: last } : null;
}

/** A region as it is written; bounds are rounded outward. */
export function written({ chrom, start, end }) {
  const first = Math.max(0, Math.floor(start)) + 1;
  return `${chrom}:${grouped(first)}-${grouped(Math.max(first, Math.ceil(end)))}`;
}

/** A whole number with thousands separators. */
export const grouped = (number) => Math.round(number).toLocaleString("en-US");

/** A length in the unit that suits it. */
export function length(bp) {
  if (bp < 10_000) return `${grouped(bp)} bp`;
  if (bp < 1_000_000) return `${(bp / 1000).toFixed(bp < 100_000 ? 1 : 0)} kb`;
  return `${(bp / 1_000_000).toFixed(2)} Mb`;
}

/** The region of `width` bases around the middle of another. */
export function around({ chrom, start, end }, width) {
  const middle = Math.floor((start + end) / 2);
  const from = Math.max(0, middle - Math.floor(width / 2));
  return { chrom, start: from, end: from + width };
}

/** Whether `inner` lies within `outer`. */
export function holds(outer, inner) {
  return Boolean(outer) && outer.chrom === inner.chrom && outer.start <= inner.start && inner.end <= outer.end;
}

/** {chrom, start, end, ref, alt} of a variant written chr20:42984264:C>T, or null; start counts from 0. */
export function variant(text) {
  const found = /^([^\s:]+):([\d,]+):([A-Za-z]+)>([A-Za-z]+)$/.exec((text ?? "").trim());
  if (!found) return null;
  const start = Number(found[2].replaceAll(",", "")) - 1;
  return { chrom: found[1], start, end: start + found[3].length, ref: found[3], alt: found[4] };
}
