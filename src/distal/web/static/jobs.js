// Long work: asks for it, tells how far it is, takes it back when it is no longer wanted. Knows no verb.

import { Problem, get, post, sentence, withdraw } from "./api.js";

const PATIENCE = 0.4; // seconds that the server holds a question about a job, so that progress is smooth

/**
 * Asks for `verb` and waits for it. `told(job)` is called whenever the job is known better: {status, position, done,
 * total, seconds}. Resolves to {job, result}; rejects with Problem, or with AbortError when `signal` says so.
 */
export async function run(verb, body, told, signal) {
  let job = await post(`/api/jobs/${verb}`, body, signal);
  const cancel = () => withdraw(`/api/jobs/${job.id}`).catch(() => {});
  signal.addEventListener("abort", cancel, { once: true });
  addEventListener("pagehide", cancel);
  try {
    while (job.status === "queued" || job.status === "running") {
      told(job);
      job = await get(`/api/jobs/${job.id}`, { wait: PATIENCE }, signal);
    }
    told(job);
    if (job.status === "cancelled") throw new DOMException("cancelled", "AbortError");
    if (job.status === "failed") throw new Problem(sentence(job.error) ?? "The work failed; the server's log says why.", 500);
    return { job, result: await get(job.result_url, {}, signal) };
  } finally {
    signal.removeEventListener("abort", cancel);
    removeEventListener("pagehide", cancel);
  }
}

/** How far a job is, in words. */
export function words({ status, position, done, total, seconds }) {
  if (status === "queued") return position > 1 ? `Waiting behind ${position - 1} other${position > 2 ? "s" : ""}` : "Waiting";
  if (!total || !done) return "Working";
  const left = done >= 2 && done < total ? (seconds / done) * (total - done) : 0;
  return `${done} of ${total}${left > 2 ? `, about ${duration(left)} left` : ""}`;
}

function duration(seconds) {
  return seconds < 90 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
}
