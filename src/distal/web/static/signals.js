// Predicted signal of tracks over regions: asked for together, kept, given up when no longer wanted. Draws nothing.

import { get } from "./api.js";
import { begun } from "./busy.js";
import { written } from "./regions.js";

const TOGETHER_MS = 12; // rows that the genome browser asks in one turn become one question
const KEPT = 240; // pieces of signal, a few tens of kB each

/** Signal by track and region; "busy" and "idle" events tell when something is under way, "wrong" what went wrong. */
export class Signals extends EventTarget {
  #kept = new Map();
  #pending = new Map();
  #waiting = new Map();
  #flying = new Set();

  constructor(limits) {
    super();
    this.limits = limits;
  }

  /** The longest region that is asked for at once: a screen and one on either side. */
  get widest() {
    return Math.floor((this.limits.region_bp ?? 1_048_576) / 3);
  }

  /** {start, binBp, values} of one track, or undefined when it was given up. */
  over(track, region, points) {
    const key = `${track} ${written(region)} ${points}`;
    const kept = this.#kept.get(key) ?? this.#pending.get(key);
    if (kept) return Promise.resolve(kept);
    const ended = begun();
    const answer = new Promise((resolve) => this.#join(track, region, points, resolve)).then((piece) => {
      this.#pending.delete(key);
      ended();
      if (piece) this.#keep(key, piece);
      return piece;
    });
    this.#pending.set(key, answer);
    return answer;
  }

  /** Gives up what is under way. */
  cancel() {
    for (const flight of this.#flying) flight.abort();
  }

  // tracks that ask for one region in one turn become one question
  #join(track, region, points, resolve) {
    const key = `${written(region)} ${points}`;
    let question = this.#waiting.get(key);
    if (!question) {
      question = { region, points, tracks: new Map() };
      this.#waiting.set(key, question);
      setTimeout(() => {
        this.#waiting.delete(key);
        this.#ask(question);
      }, TOGETHER_MS);
    }
    question.tracks.set(track, resolve);
  }

  async #ask(question) {
    for (const flight of this.#flying) if (!same(flight.region, question.region)) flight.abort();
    const tracks = [...question.tracks.keys()];
    const most = this.limits.tracks ?? 24;
    for (let from = 0; from < tracks.length; from += most) {
      await this.#fly(question, tracks.slice(from, from + most));
    }
  }

  async #fly(question, tracks) {
    const flight = new AbortController();
    flight.region = question.region;
    this.#flying.add(flight);
    this.dispatchEvent(new CustomEvent("busy", { detail: question.region }));
    const found = new Map();
    try {
      const query = { region: written(question.region), tracks: tracks.join(","), points: question.points };
      const answer = await get("/api/signal", query, flight.signal);
      for (const track of answer.tracks) {
        found.set(track.index, { start: answer.start, binBp: answer.bin_bp, values: track.values });
      }
    } catch (error) {
      if (error.name !== "AbortError") this.dispatchEvent(new CustomEvent("wrong", { detail: error }));
    }
    this.#flying.delete(flight);
    for (const track of tracks) question.tracks.get(track)(found.get(track));
    if (!this.#flying.size) this.dispatchEvent(new CustomEvent("idle"));
  }

  #keep(key, piece) {
    this.#kept.set(key, piece);
    if (this.#kept.size > KEPT) this.#kept.delete(this.#kept.keys().next().value);
  }
}

const same = (a, b) => a.chrom === b.chrom && a.start === b.start && a.end === b.end;
