// Which rows the genome browser has for a view: genes, what was asked of the model, then the tracks. Draws nothing.

import { escaped } from "./dom.js";
import { importance } from "./rows/letters.js";

const HEIGHTS = {
  "distal-signal": 60, "distal-alleles": 60, "distal-difference": 44, "distal-logo": 84, "distal-effects": 76,
  "distal-arcs": 110, "distal-scored": 54,
};
const ABOVE_PX = 160; // the ruler, the sequence and the genes
const TALLEST = 1.8;

/** The rows for the page's present state, as tall as `room` pixels on screen allow. */
export function lanes(page, room) {
  const rows = listed(page);
  const needed = rows.reduce((sum, row) => sum + (HEIGHTS[row.type] ?? 0), 0);
  const stretch = Math.min(TALLEST, Math.max(1, (room - ABOVE_PX) / (needed || 1)));
  return rows.map((row) => (HEIGHTS[row.type] ? { ...row, height: Math.round(HEIGHTS[row.type] * stretch) } : row));
}

function listed({ about, view, tracks, results, signals }) {
  const rows = about.genes ? [genes(view)] : [];
  if (results.scores) rows.push(scored(results.scores));
  if (results.enhancers) rows.push(arcs(results.enhancers));
  if (results.contributions) rows.push(contributions(results.contributions));
  if (results.mutagenesis) rows.push(...mutagenesis(results.mutagenesis));
  const picked = (view.tracks ?? []).map((index) => tracks.get(index)).filter(Boolean);
  if (results.variant) rows.push(...picked.flatMap((track) => alleles(results.variant, track, signals)));
  else rows.push(...picked.map((track) => signal(track, signals)));
  return rows;
}

/** What a track is called in a row. */
export function title(track) {
  const strand = track.strand === "." ? "" : ` (${track.strand})`;
  return `${[track.assay, track.target, track.biosample].filter(Boolean).join(" · ") || track.name}${strand}`;
}

function genes(view) {
  return { id: "genes", type: "distal-genes", name: "", title: "Genes", chosen: view.gene, version: view.gene };
}

function signal(track, signals) {
  return labelled(`signal-${track.index}`, "distal-signal", title(track), {
    signals, track: track.index, assay: track.assay, visibilityWindow: signals.widest,
  });
}

function alleles(answer, track, signals) {
  const place = answer.result.tracks.findIndex(({ index }) => index === track.index);
  if (place < 0) return [signal(track, signals)];
  const shared = { result: answer.result, place, version: answer.job.id };
  return [
    labelled(`alleles-${track.index}`, "distal-alleles", title(track), {
      ...shared, signals, track: track.index, assay: track.assay,
    }),
    labelled(`difference-${track.index}`, "distal-difference", "ALT − REF", shared),
  ];
}

function mutagenesis({ result, job, track }) {
  const most = result.effects.flat().reduce((largest, effect) => Math.max(largest, Math.abs(effect ?? 0)), 0) || 1;
  const of = track ? ` · ${track}` : "";
  return [
    labelled("logo", "distal-logo", `Importance: minus the mean effect of replacing the base${of}`, {
      chrom: result.chrom, start: result.start, letters: result.letters, values: importance(result),
      unit: "Importance", version: job.id,
    }),
    { id: "effects", type: "distal-effects", name: "", title: "Effect of each substitution", result, most, version: job.id },
  ];
}

function contributions({ result, job, method, track }) {
  return labelled("contributions", "distal-logo", `Contributions (${method})${track ? ` · ${track}` : ""}`, {
    chrom: result.chrom, start: result.start, letters: result.letters, values: result.values, version: job.id,
  });
}

function arcs({ result, job, method }) {
  const links = result.rows.map((row) => ({ ...row, score: row.scores[method] ?? 0 }));
  return labelled("arcs", "distal-arcs", `Enhancers of ${result.gene} (${method})`, {
    links, method, version: `${job.id} ${method}`,
  });
}

function scored({ variants, score, version }) {
  return labelled("scored", "distal-scored", `Scored variants (${score})`, { variants, score, version });
}

// a row's name is HTML to igv.js, its title is text
function labelled(id, type, text, more) {
  return { id, type, name: escaped(text), title: text, ...more };
}
