// The tabs at the left: one panel open at a time, or none. Knows no panel's inside.

import { byId } from "./dom.js";
import * as contributions from "./panels/contributions.js";
import * as enhancers from "./panels/enhancers.js";
import * as mutagenesis from "./panels/mutagenesis.js";
import * as scores from "./panels/scores.js";
import * as tracks from "./panels/tracks.js";
import * as variant from "./panels/variant.js";

const PANELS = { tracks, variant, mutagenesis, contributions, enhancers, scores };
const CLOSED = "closed";
const NARROW = matchMedia("(max-width: 860px)");

/** Makes every panel and opens the one that the view names. */
export function mountPanels(app) {
  const absent = { enhancers: !app.about.genes, scores: !app.about.scores };
  const names = Object.keys(PANELS).filter((name) => !absent[name]);
  for (const name of Object.keys(PANELS)) {
    if (absent[name]) byId(`tab-${name}`).hidden = true;
    else PANELS[name].mount(byId(`panel-${name}`), app);
  }
  for (const name of names) byId(`tab-${name}`).addEventListener("click", () => toggle(app, name));
  byId("rail").addEventListener("keydown", (event) => step(event, names));
  const show = () => open(app.view.panel ?? (NARROW.matches ? CLOSED : "tracks"), names);
  app.view.addEventListener("change", ({ detail }) => detail.has("panel") && show());
  show();
}

/** Opens a panel and puts the reader into its first field. */
export function openPanel(app, name) {
  app.view.set({ panel: name });
  byId(`panel-${name}`).querySelector("input, button")?.focus();
}

function toggle(app, name) {
  const shown = byId(`tab-${name}`).getAttribute("aria-selected") === "true";
  app.view.set({ panel: shown ? CLOSED : name });
}

function open(chosen, names) {
  const shown = names.includes(chosen) ? chosen : CLOSED;
  document.body.classList.toggle("wide", shown === CLOSED);
  for (const name of names) {
    const tab = byId(`tab-${name}`);
    tab.setAttribute("aria-selected", String(name === shown));
    tab.tabIndex = name === shown || (shown === CLOSED && name === names[0]) ? 0 : -1;
    byId(`panel-${name}`).hidden = name !== shown;
  }
}

function step(event, names) {
  const by = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
  const at = names.findIndex((name) => byId(`tab-${name}`) === document.activeElement);
  if (!by || at < 0) return;
  event.preventDefault();
  event.stopPropagation();
  byId(`tab-${names[(at + by + names.length) % names.length]}`).focus();
}
