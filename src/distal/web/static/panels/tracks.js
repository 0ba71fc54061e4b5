// The track picker: what the model predicts, found by query and by assay and biosample, and what is shown of it.

import { get } from "../api.js";
import { afterPause, element } from "../dom.js";
import { title } from "../lanes.js";
import { ofAssay } from "../palette.js";
import { having, values, without } from "../query.js";
import { field, headed, line, quiet } from "./form.js";

const LISTED = 150; // more than a reader looks through
const BIOSAMPLES = 400;

/** Makes the panel. */
export function mount(section, app) {
  new Picker(section, app);
}

class Picker {
  #asked = 0;

  constructor(section, app) {
    this.app = app;
    this.query = line({ type: "search", placeholder: "assay=CAGE biosample~liver" });
    this.assays = element("div", { class: "chips", role: "group", "aria-label": "Assay" });
    this.biosample = element("select", { "aria-label": "Biosample" });
    this.count = element("p", { class: "hint", role: "status" });
    this.list = element("ul", { class: "tracks" });
    this.shown = element("ul", { class: "tracks" });
    this.heading = element("h3", {});
    this.query.addEventListener("input", afterPause(() => this.find(), 180));
    this.biosample.addEventListener("change", () => this.narrow("biosample", this.biosample.value ? [this.biosample.value] : []));
    section.append(
      ...headed("Tracks", `${app.about.model.name} predicts ${app.about.model.tracks.toLocaleString("en-US")} experiments from the sequence alone.`),
      this.heading, this.shown,
      element("h3", {}, "Find more"),
      field("tracks-query", "Query", this.query, "Words look in the description; = compares, ~ finds a part."),
      this.assays,
      element("div", { class: "field" }, this.biosample),
      this.count, this.list,
    );
    app.view.addEventListener("change", ({ detail }) => detail.has("tracks") && this.tick());
    this.find();
  }

  /** Asks which tracks match, and which assays and biosamples there are beside the chosen. */
  async find() {
    const query = this.query.value.trim();
    const turn = ++this.#asked;
    const asked = [query, without(query, "assay"), without(query, "biosample")];
    const looked = new Map([...new Set(asked)].map((each) => [each, this.look(each)]));
    const answers = await Promise.all(asked.map((each) => looked.get(each)));
    if (turn !== this.#asked) return; // the reader has written on
    const [found, beside, among] = answers;
    this.matches = found.tracks;
    this.count.textContent = found.sentence ?? this.counted(found.tracks.length);
    this.count.classList.toggle("problem", Boolean(found.sentence));
    this.offer(beside.facets.assay, among.facets.biosample);
    this.tick();
  }

  async look(query) {
    if (!query) return this.app.table;
    try {
      return await get("/api/tracks", { query });
    } catch (error) {
      return { tracks: [], facets: { assay: [], biosample: [] }, sentence: error.message };
    }
  }

  counted(number) {
    const more = number > LISTED ? `; the first ${LISTED} are listed` : "";
    return `${number.toLocaleString("en-US")} ${number === 1 ? "track matches" : "tracks match"}${more}.`;
  }

  offer(assays, biosamples) {
    const chosen = new Set(values(this.query.value, "assay"));
    this.assays.replaceChildren(...assays.map(({ value, count }) => {
      const turn = () => this.narrow("assay", chosen.has(value) ? [...chosen].filter((each) => each !== value) : [...chosen, value]);
      const button = element("button", { type: "button", class: "chip", "aria-pressed": String(chosen.has(value)), onclick: turn }, value || "other", element("small", {}, String(count)));
      button.style.setProperty("--colour", ofAssay(value));
      return button;
    }));
    const [now] = values(this.query.value, "biosample");
    const named = biosamples.slice(0, BIOSAMPLES).sort((a, b) => a.value.localeCompare(b.value));
    const left = biosamples.length - named.length;
    const options = named.map(({ value, count }) => element("option", { value, selected: value === now }, `${value} (${count})`));
    if (left > 0) options.push(element("option", { disabled: true }, `${left} more: write biosample~ and a part of the name`));
    this.biosample.replaceChildren(element("option", { value: "" }, "Every biosample"), ...options);
  }

  narrow(column, wanted) {
    this.query.value = having(this.query.value, column, wanted);
    this.find();
  }

  /** Lists the tracks that match, and above them those on screen. */
  tick() {
    const shown = this.app.view.tracks ?? [];
    const most = this.app.about.limits.tracks ?? 24;
    this.heading.replaceChildren(`On screen (${shown.length})`, ...(shown.length ? [quiet("Clear", () => this.app.view.set({ tracks: [] }))] : []));
    this.shown.replaceChildren(...shown.map((index) => this.app.tracks.get(index)).filter(Boolean).map((track) => this.item(track, true, false, "shown")));
    const listed = (this.matches ?? []).slice(0, LISTED);
    const before = document.activeElement?.id;
    this.list.replaceChildren(...listed.map((track) => this.item(track, shown.includes(track.index), shown.length >= most, "found")));
    if (before) document.getElementById(before)?.focus();
  }

  item(track, picked, full, place) {
    const box = element("input", { type: "checkbox", checked: picked, disabled: full && !picked, id: `${place}-${track.index}`, onchange: () => this.pick(track.index, box.checked) });
    const swatch = element("span", { class: "swatch", "aria-hidden": "true" });
    swatch.style.setProperty("--colour", ofAssay(track.assay));
    const words = element("span", { class: "words" }, title(track), element("small", {}, track.name));
    return element("li", {}, element("label", {}, box, swatch, words));
  }

  pick(index, wanted) {
    const others = (this.app.view.tracks ?? []).filter((each) => each !== index);
    this.app.view.set({ tracks: wanted ? [...others, index] : others });
  }
}
