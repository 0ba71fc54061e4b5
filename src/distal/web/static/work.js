// A job that a panel asks for: its progress bar, its Cancel, its error, beside the form that asked. Knows no verb.

import { begun } from "./busy.js";
import { element } from "./dom.js";
import { run, words } from "./jobs.js";

/** Where the progress of a panel's jobs is shown; one job at a time, a new one takes the place of the old. */
export class Work {
  #flight = null;

  constructor() {
    this.bar = element("progress", { "aria-label": "Progress", max: 1 });
    this.text = element("span", { class: "work-text" });
    const cancel = element("button", { type: "button", class: "quiet", onclick: () => this.cancel() }, "Cancel");
    this.line = element("div", { class: "work", hidden: true }, this.bar, element("div", { class: "between" }, this.text, cancel));
    this.error = element("p", { class: "problem", role: "alert", hidden: true });
    this.node = element("div", {}, this.line, this.error);
  }

  /** {job, result}, or null when it was cancelled or went wrong (which is said here). */
  async ask(verb, body) {
    this.cancel();
    const flight = new AbortController();
    this.#flight = flight;
    this.error.hidden = true;
    this.line.hidden = false;
    this.#told({ status: "queued" });
    const ended = begun();
    try {
      return await run(verb, body, (job) => this.#told(job), flight.signal);
    } catch (error) {
      if (error.name !== "AbortError") this.wrong(error.message);
      return null;
    } finally {
      ended();
      if (this.#flight === flight) {
        this.#flight = null;
        this.line.hidden = true;
      }
    }
  }

  /** Says what is wrong. */
  wrong(sentence) {
    this.error.textContent = sentence;
    this.error.hidden = false;
  }

  /** Gives up the job under way. */
  cancel() {
    this.#flight?.abort();
    this.#flight = null;
    this.line.hidden = true;
  }

  #told(job) {
    if (job.total && job.done) {
      this.bar.max = job.total;
      this.bar.value = job.done;
    } else {
      this.bar.removeAttribute("value");
    }
    this.text.textContent = words(job);
  }
}
