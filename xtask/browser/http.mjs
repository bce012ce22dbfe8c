// Requests with exactly the headers that a test names, which `fetch` would not send.

import { request } from "node:http";

/** Sends one request. Gives status, headers, cookies as they were set, and the body as text and as JSON where it is that. */
export function send(origin, method, path, { headers = {}, json, body = json && JSON.stringify(json) } = {}) {
  const type = json === undefined ? {} : { "content-type": "application/json" };
  return new Promise((resolve, reject) => {
    const sent = request(new URL(path, origin), { method, headers: { ...type, ...headers } }, (answer) => {
      const chunks = [];
      answer.on("data", (chunk) => chunks.push(chunk));
      answer.on("error", reject);
      answer.on("end", () => {
        const text = Buffer.concat(chunks).toString();
        const { statusCode: status, headers: got } = answer;
        resolve({ status, headers: got, cookies: got["set-cookie"] ?? [], text, json: jsonOf(text) });
      });
    });
    sent.on("error", reject);
    sent.setTimeout(10_000, () => sent.destroy(new Error(`${method} ${path}: no answer in 10 s`)));
    sent.end(body);
  });
}

/** Signs a browser in, as the console does. Gives the answer, and the headers with its cookies. */
export async function signIn(stage, user = "ada", more = {}) {
  const json = { user, password: stage.service.passwords[user], ...more };
  const answer = await send(stage.origin, "POST", "/api/login", { headers: { origin: stage.origin }, json });
  const pairs = answer.cookies.map((cookie) => cookie.split(";")[0]).filter((pair) => !pair.endsWith("="));
  return { answer, headers: { origin: stage.origin, cookie: pairs.join("; ") } };
}

function jsonOf(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
