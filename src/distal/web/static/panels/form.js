// Parts that panels are made of: headings, fields, rows of tables, files to keep. Knows no question.

import { file } from "../api.js";
import { element, keep } from "../dom.js";
import { tellError } from "../messages.js";

const WRITTEN = { arrow: "Arrow", bigwig: "bigWig", npz: "NumPy" };

/** A panel's heading and what it is for. */
export function headed(title, purpose) {
  return [element("h2", {}, title), element("p", { class: "purpose" }, purpose)];
}

/** A labelled input; `hint` is read with it. */
export function field(id, label, input, hint = "") {
  input.id = id;
  if (hint) input.setAttribute("aria-describedby", `${id}-hint`);
  return element("div", { class: "field" }, element("label", { for: id }, label), input, hint && element("p", { class: "hint", id: `${id}-hint` }, hint));
}

/** A line of text to write in. */
export const line = (attributes = {}) => element("input", { type: "text", autocomplete: "off", spellcheck: "false", ...attributes });

/** A choice among `options`: [[value, text]]. */
export function choice(options, chosen = null) {
  return element("select", {}, options.map(([value, text]) => element("option", { value, selected: value === chosen }, text)));
}

/** The button that asks. */
export const asking = (text) => element("button", { type: "submit", class: "main" }, text);

/** A button that looks like text. */
export const quiet = (text, act, attributes = {}) => element("button", { type: "button", class: "quiet", onclick: act, ...attributes }, text);

/** A table: columns are [heading, kind ("" or "number"), cell of a row]; `chosen(row)` when a row is chosen. */
export function table(caption, columns, rows, chosen = null) {
  const head = element("tr", {}, columns.map(([heading, kind]) => element("th", { scope: "col", class: kind }, heading)));
  const lines = rows.map((row) => {
    const cells = columns.map(([, kind, cell], i) => {
      const text = cell(row);
      const inside = i === 0 && chosen ? element("button", { type: "button", class: "quiet", onclick: () => chosen(row) }, text) : text;
      return element("td", { class: kind }, inside);
    });
    return element("tr", {}, cells);
  });
  const parts = [element("caption", { class: "unseen" }, caption), element("thead", {}, head), element("tbody", {}, lines)];
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, element("table", {}, parts));
}

/** Buttons that keep a job's result as files, in the formats that it has. */
export function files(job, name) {
  const formats = (job.formats ?? []).filter((format) => format !== "json");
  const button = (format) => quiet(WRITTEN[format] ?? format.toUpperCase(), () =>
    file(job.result_url, { format }, `${name}.${format}`).then(({ blob, name: given }) => keep(blob, given), tellError));
  return element("p", { class: "files" }, "Keep as ", ...formats.flatMap((format, i) => [i ? ", " : "", button(format)]));
}
