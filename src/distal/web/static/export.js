// Export and sharing: pictures of the view, its data as files, and the same at the command line and in Python.

import { file, get } from "./api.js";
import { byId, element, keep } from "./dom.js";
import { tell, tellError } from "./messages.js";
import { grouped, written } from "./regions.js";

const CAPTION_PX = 30;
const FORMATS = { bigwig: "bigWig", tsv: "TSV", npz: "NumPy", arrow: "Arrow", json: "JSON" };
const ENDINGS = { bigwig: "bw" };
const SHARPNESS = 2; // pixels of a PNG per pixel on screen

/** Makes Share and Export work. */
export function mountExport(app) {
  byId("share").onclick = () => copy(location.href, "The link to this view is copied.");
  byId("export").onclick = () => openDialog(app).catch(tellError);
}

async function openDialog(app) {
  const dialog = byId("export-dialog");
  const region = app.genome.region;
  const tracks = app.view.tracks ?? [];
  const code = element("div", { class: "code" }, element("p", { class: "hint" }, "…"));
  dialog.replaceChildren(
    element("h2", { id: "export-title" }, "Export"),
    element("p", { class: "purpose" }, `${written(region)}, ${grouped(tracks.length)} ${tracks.length === 1 ? "track" : "tracks"}`),
    element("h3", {}, "Picture"),
    element("div", { class: "buttons" }, button("SVG", () => saveSvg(app)), button("PNG", () => savePng(app))),
    element("h3", {}, "Predicted signal"),
    element("div", { class: "buttons" },
      ...Object.entries(FORMATS).map(([format, text]) => button(text, () => saveSignal(app, format)))),
      tracks.length > 1 && element("p", { class: "hint" }, "A bigWig file holds one track; there is one for each."),
    element("h3", {}, "The same elsewhere"),
    code,
    element("div", { class: "buttons end" }, element("button", { type: "button", class: "main", onclick: () => dialog.close() }, "Close")),
  );
  dialog.showModal();
  code.replaceChildren(...(await equivalents(app)));
}

/** The command lines and programs that give what is on screen. */
async function equivalents(app) {
  const told = [];
  const signal = await signalOf(app, 2).catch(() => null);
  if (signal?.equivalent) told.push(["The tracks", signal.equivalent]);
  for (const [verb, answer] of Object.entries(app.results)) {
    if (answer.result?.equivalent) told.push([verb.charAt(0).toUpperCase() + verb.slice(1), answer.result.equivalent]);
  }
  if (!told.length) return [element("p", { class: "hint" }, "Nothing on screen yet has an equivalent; pick a track.")];
  return told.flatMap(([what, { command, python }]) => [snippet(`${what}, command line`, command), snippet(`${what}, Python`, python)]);
}

function snippet(what, text) {
  const told = `${what}: copied.`;
  return element("figure", {},
    element("figcaption", { class: "between" }, what, element("button", { type: "button", class: "quiet", onclick: () => copy(text, told) }, "Copy")),
    element("pre", { tabindex: "0" }, text));
}

const button = (text, act) => element("button", { type: "button", onclick: () => Promise.resolve().then(act).catch(tellError) }, text);

const nameOf = (app) => written(app.genome.region).replace(/[:,]/g, (mark) => (mark === ":" ? "_" : ""));

function signalOf(app, points) {
  return get("/api/signal", { region: written(whole(app.genome.region)), tracks: needed(app).join(","), points });
}

/** One file with all tracks, or of a format that holds one track, a file each. */
async function saveSignal(app, format) {
  const region = whole(app.genome.region);
  const points = Math.ceil((region.end - region.start) / app.about.model.bin_bp) + 2; // every bin
  const groups = format === "bigwig" ? needed(app).map((track) => [track]) : [needed(app)];
  for (const tracks of groups) {
    const asked = { region: written(region), tracks: tracks.join(","), points, format };
    const of = format === "bigwig" ? `_${app.tracks.get(tracks[0])?.name ?? tracks[0]}` : "";
    const { blob, name } = await file("/api/signal", asked, `${nameOf(app)}${of}.${ENDINGS[format] ?? format}`);
    keep(blob, name);
  }
}

function needed(app) {
  const tracks = app.view.tracks ?? [];
  if (!tracks.length) throw new Error("No track is on screen; pick one first.");
  return tracks;
}

const whole = ({ chrom, start, end }) => ({ chrom, start: Math.floor(start), end: Math.ceil(end) });

function saveSvg(app) {
  keep(new Blob([drawing(app).text], { type: "image/svg+xml" }), `${nameOf(app)}.svg`);
}

async function savePng(app) {
  const { text, width, height } = drawing(app);
  const address = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
  try {
    const image = new Image();
    image.src = address;
    await image.decode();
    const canvas = element("canvas", { width: Math.round(width * SHARPNESS), height: Math.round(height * SHARPNESS) });
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
    keep(blob, `${nameOf(app)}.png`);
  } finally {
    URL.revokeObjectURL(address);
  }
}

/** The rows as SVG with a line below that says what is shown: {text, width, height}. */
function drawing(app) {
  const drawn = new DOMParser().parseFromString(app.genome.svg(), "image/svg+xml").documentElement;
  const width = Number.parseFloat(drawn.getAttribute("width"));
  const height = Number.parseFloat(drawn.getAttribute("height")) + CAPTION_PX;
  drawn.setAttribute("height", height);
  drawn.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const make = (name, attributes) => {
    const made = drawn.ownerDocument.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  };
  drawn.prepend(make("rect", { width, height, fill: "#ffffff" }));
  const caption = make("text", { x: 56, y: height - 10, "font-family": "system-ui, 'DejaVu Sans', sans-serif", "font-size": 11, fill: "#6b7078" });
  const { model, genome, version } = app.about;
  const edit = app.results.variant ? ` · ${app.view.variant}: REF grey, ALT line` : "";
  caption.textContent = `${written(app.genome.region)} (${genome.name}) · predicted by ${model.name}${edit} · distal ${version}`;
  drawn.append(caption);
  return { text: new XMLSerializer().serializeToString(drawn), width, height };
}

async function copy(text, told) {
  try {
    await navigator.clipboard.writeText(text);
    tell(told);
  } catch {
    tell(`The browser does not let a page copy here; take it from the address bar: ${text}`);
  }
}
