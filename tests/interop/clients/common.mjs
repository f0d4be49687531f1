// What the clients in Node share: events as lines of JSON on standard output, and WHIP's and WHEP's few requests.

import { once } from "node:events";

export const options = JSON.parse(process.argv[2]);

export function say(event, fields = {}) {
  process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`);
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Resolves when the test closes our standard input: the time to leave in order. */
export async function told() {
  process.stdin.resume();
  await once(process.stdin, "end");
}

export function within(seconds, what, promise) {
  let timer;
  const limit = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took more than ${seconds} s`)), 1000 * seconds);
  });
  return Promise.race([promise, limit]).finally(() => clearTimeout(timer));
}

function headers(more = {}) {
  return options.token ? { ...more, Authorization: `Bearer ${options.token}` } : more;
}

/** POST an offer, by the rules that OBS holds its servers to: exactly 201, an answer, a Location. */
export async function post(offer) {
  const response = await fetch(options.url, {
    method: "POST",
    headers: headers({ "Content-Type": "application/sdp" }),
    body: offer,
  });
  const answer = await response.text();
  const location = response.headers.get("location");
  if (response.status !== 201 || !answer || !location) {
    throw new Error(`POST answered ${response.status}: ${answer}`);
  }
  return { answer, resource: new URL(location, options.url) };
}

export async function remove(resource) {
  const response = await fetch(resource, { method: "DELETE", headers: headers() });
  if (response.status !== 200) throw new Error(`DELETE answered ${response.status}`);
}
