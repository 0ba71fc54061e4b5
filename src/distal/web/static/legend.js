// The line above the rows that says what the colours of an answer mean. Knows no drawing.

import { byId, element } from "./dom.js";
import { variant } from "./regions.js";

/** Shows what is on screen beside the tracks. */
export function legend({ view, results }) {
  const parts = [];
  if (results.variant) parts.push(...alleles(view.variant));
  if (results.mutagenesis) parts.push(key("more", "substitution raises"), key("less", "lowers"));
  if (results.contributions) parts.push(key("mark", "the target"));
  byId("legend").replaceChildren(...parts);
}

function alleles(text) {
  const { ref, alt } = variant(text) ?? { ref: "", alt: "" };
  return [key("ref", `REF ${few(ref)}`), key("alt", `ALT ${few(alt)}`), key("more", "higher"), key("less", "lower"), key("mark", "the edit")];
}

const key = (kind, text) => element("span", { class: `key key-${kind}` }, text);

const few = (letters) => (letters.length > 6 ? `${letters.slice(0, 5)}… (${letters.length} bp)` : letters);
