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

/** Opens the panel that the view names, now and whenever it names another. */
export function arrangePanels({ view, about }) {
  for (const name of Object.keys(PANELS)) byId(`tab-${name}`).hidden = !present(about).includes(name);
  const show = () => open(view.panel ?? (NARROW.matches ? CLOSED : "tracks"), present(about));
  view.addEventListener("change", ({ detail }) => detail.has("panel") && show());
  show();
}

/** Fills every panel, and makes the tabs work. */
export function mountPanels(app) {
  const names = present(app.about);
  for (const name of names) {
    PANELS[name].mount(byId(`panel-${name}`), app);
    byId(`tab-${name}`).addEventListener("click", () => toggle(app, name));
  }
  byId("rail").addEventListener("keydown", (event) => step(event, names));
}

// panels that need what the server wasn't started with are left out
function present(about) {
  const absent = { enhancers: !about.genes, scores: !about.scores };
  return Object.keys(PANELS).filter((name) => !absent[name]);
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
