// The server's addresses and answers; every error is one sentence for the reader. Knows no page.

const client = Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** What the server refused, in its own sentence. */
export class Problem extends Error {
  constructor(sentence, status) {
    super(sentence);
    this.name = "Problem";
    this.status = status;
  }
}

/** The address of `path` with the parts of a query that are there. */
export function address(path, query = {}) {
  const parts = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return parts.length ? `${path}?${new URLSearchParams(parts)}` : path;
}

/** The JSON at `path`. */
export async function get(path, query, signal) {
  return (await ask(address(path, query), { signal })).json();
}

/** The file at `path`: {blob, name}. */
export async function file(path, query, name) {
  const answer = await ask(address(path, query));
  const named = /filename="?([^";]+)"?/.exec(answer.headers.get("Content-Disposition") ?? "");
  return { blob: await answer.blob(), name: named ? named[1] : name };
}

/** Sends JSON, and returns what comes back. */
export async function post(path, body, signal) {
  const headers = { "Content-Type": "application/json" };
  return (await ask(path, { method: "POST", headers, body: JSON.stringify(body), signal })).json();
}

/** Takes something back, even while the page closes. */
export async function withdraw(path) {
  await ask(path, { method: "DELETE", keepalive: true });
}

async function ask(where, options = {}) {
  let answer;
  try {
    answer = await fetch(where, { ...options, headers: { ...options.headers, "X-Distal-Client": client } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem("The server doesn't answer; start `distal browse` again and reload this page.", 0);
  }
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => ({}));
  throw new Problem(sentence(told.detail) ?? `The server answered ${answer.status} ${answer.statusText}.`, answer.status);
}

/** A sentence as the page writes it: it begins with a capital unless its first word is a name, such as chr20:7:A>C. */
export function sentence(text) {
  if (typeof text !== "string" || !text) return null;
  return /^[a-z]+[ ,]/.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text;
}
