// What keys, the wheel and the buttons above the rows do, and the page that tells so.

import { byId, element } from "./dom.js";
import { openPanel } from "./rail.js";

const STEP = 0.25; // of the screen

/** Makes keys and buttons work. */
export function mountKeys(app) {
  const keys = bindings(app);
  byId("left").onclick = () => app.genome.pan(-STEP);
  byId("right").onclick = () => app.genome.pan(STEP);
  byId("in").onclick = () => app.genome.zoom(0.5);
  byId("out").onclick = () => app.genome.zoom(2);
  byId("help").onclick = () => help(keys);
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || writing(event.target) || dialogOpen()) return;
    const bound = keys.find(({ key }) => key.includes(event.key));
    if (!bound) return;
    event.preventDefault();
    bound.act();
  });
  byId("stage").addEventListener("wheel", (event) => wheel(app, event), { passive: false });
}

function bindings(app) {
  const press = (id) => () => byId(id).click();
  return [
    { key: ["/"], does: "Search", act: () => byId("search-text").focus() },
    { key: ["ArrowLeft"], act: press("left") },
    { key: ["ArrowRight"], act: press("right") },
    { key: ["+", "="], shown: "+", does: "Zoom in", act: press("in") },
    { key: ["-"], shown: "−", does: "Zoom out", act: press("out") },
    { key: ["t"], does: "Pick tracks", act: () => openPanel(app, "tracks") },
    { key: ["v"], does: "Variant: REF against ALT", act: () => openPanel(app, "variant") },
    { key: ["m"], does: "Mutagenesis", act: () => openPanel(app, "mutagenesis") },
    { key: ["c"], does: "Contributions", act: () => openPanel(app, "contributions") },
    { key: ["n"], does: "Enhancers of a gene", act: () => app.about.genes && openPanel(app, "enhancers") },
    { key: ["r"], does: "Scored variants", act: () => app.about.scores && openPanel(app, "scores") },
    { key: ["s"], does: "Copy a link to this view", act: press("share") },
    { key: ["e"], does: "Export", act: press("export") },
    { key: ["d"], does: "Light or dark", act: press("theme") },
    { key: ["?"], does: "This page", act: press("help") },
  ];
}

function help(keys) {
  const dialog = byId("help-dialog");
  const listed = [{ shown: "← →", does: "Move a quarter of the screen" }, ...keys.filter(({ does }) => does)];
  const rows = listed.map(({ key, shown, does }) => [element("dt", {}, element("kbd", {}, shown ?? key[0])), element("dd", {}, does)]);
  const close = element("button", { type: "button", onclick: () => dialog.close() }, "Close");
  dialog.replaceChildren(
    element("h2", { id: "help-title" }, "Keys"),
    element("dl", { class: "keys" }, ...rows.flat()),
    element("p", {}, "Drag the rows to move, double-click to zoom in, Ctrl and the wheel zoom at the pointer. A click on a row shows its numbers; dragging over the ruler zooms into what was dragged over."),
    element("p", {}, "Tracks are found with the same words as at the command line: ", element("code", {}, "assay=CAGE biosample~liver"), "."),
    close,
  );
  dialog.showModal();
}

function wheel(app, event) {
  if (event.ctrlKey) {
    event.preventDefault();
    app.genome.zoom(event.deltaY > 0 ? 1.25 : 0.8, app.genome.positionAt(event.clientX));
  } else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
    event.preventDefault();
    app.genome.slide(event.deltaX);
  }
}

const FIELDS = "input:not([type=checkbox]), textarea, select";
const writing = (target) => target instanceof Element && target.matches(FIELDS);
const dialogOpen = () => document.querySelector("dialog[open]") !== null;
