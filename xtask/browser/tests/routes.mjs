// The routes as programs see them: health, metrics, cookies, and who is refused.

import assert from "node:assert/strict";

import { send, signIn } from "../http.mjs";
import { test } from "../runner.mjs";

test("health says that the service is well", async ({ origin }) => {
  const answer = await send(origin, "GET", "/health");
  assert.equal(answer.status, 200);
  assert.equal(answer.json.status, "ok");
});

test("metrics are Prometheus text and count logins", async (stage) => {
  const before = await logins(stage.origin);
  const { answer } = await signIn(stage);
  assert.equal(answer.status, 200);
  assert.equal(await logins(stage.origin), before + 1);
});

test("metrics have no label from what a client sends", async ({ origin }) => {
  await send(origin, "GET", "/no-such-path-anywhere?secret=squirrel");
  const { text } = await send(origin, "GET", "/metrics");
  assert.ok(!text.includes("no-such-path") && !text.includes("squirrel"), text);
});

test("the cookie of a sign-in is __Host-, Secure, HttpOnly, SameSite and for the whole site", async (stage) => {
  const { answer } = await signIn(stage);
  const [cookie] = answer.cookies.filter((set) => !/^[^=]+=;/.test(set));
  const [pair, ...attributes] = cookie.split(/; */);
  const found = attributes.map((attribute) => attribute.toLowerCase());
  assert.match(pair, /^__Host-[^=]+=.{20,}$/);
  for (const expected of ["secure", "httponly", "samesite=lax", "path=/"]) {
    assert.ok(found.includes(expected), `${expected} in ${found}`);
  }
  assert.ok(!found.some((attribute) => attribute.startsWith("domain")), "it is for this host only");
  assert.match(answer.headers["cache-control"] ?? "", /no-store/);
});

test("remember-me gives a cookie of 30 days, and without it the cookie ends with the browser", async (stage) => {
  const day = 86_400;
  const remembered = await signIn(stage, "ada", { remember: true });
  const age = Number(/max-age=(\d+)/i.exec(remembered.answer.cookies[0])[1]);
  assert.ok(age > 29.9 * day && age <= 30 * day, `${age} seconds`);
  const { session } = remembered.answer.json;
  assert.equal(session.remembered, true);
  assert.ok(session.latest - session.created > 29.9 * day * 1000);
  const brief = await signIn(stage);
  assert.ok(!/max-age|expires=/i.test(brief.answer.cookies[0]), "a session cookie has no age");
  assert.equal(brief.answer.json.session.remembered, false);
});

test("a wrong password and an unknown user are refused alike", async ({ origin }) => {
  const tries = [{ user: "ada", password: "wrong" }, { user: "nobody-here", password: "wrong" }];
  const headers = { origin };
  const sent = tries.map((json) => send(origin, "POST", "/api/login", { headers, json }));
  const [known, unknown] = await Promise.all(sent);
  assert.equal(known.status, 401);
  assert.equal(unknown.status, 401);
  assert.deepEqual(known.json, unknown.json);
  assert.deepEqual([known.cookies, unknown.cookies], [[], []]);
});

test("a request from another site is refused and changes nothing", async (stage) => {
  const { headers } = await signIn(stage);
  const foreign = { ...headers, origin: "https://elsewhere.example", "sec-fetch-site": "cross-site" };
  const { status } = await send(stage.origin, "POST", "/api/session/logout", { headers: foreign });
  assert.equal(status, 403);
  const me = await send(stage.origin, "GET", "/api/me", { headers });
  assert.equal(me.json.user?.id, "ada");
});

test("an ended token is refused, as a token that never was", async (stage) => {
  const token = { user: "ada", password: stage.service.passwords.ada, token: true };
  const { json } = await send(stage.origin, "POST", "/api/login", { json: token });
  const headers = { authorization: `Bearer ${json.access_token}` };
  const read = (headers) => send(stage.origin, "GET", "/api/values/answer", { headers });
  assert.equal((await read(headers)).status, 200);
  const ended = await send(stage.origin, "POST", "/api/session/logout", { headers });
  assert.ok(ended.status < 300, `${ended.status}`);
  assert.equal((await read(headers)).status, 401);
  assert.equal((await read({ authorization: "Bearer nonsense" })).status, 401);
});

test("operators' routes refuse others", async (stage) => {
  const { headers } = await signIn(stage, "grace");
  assert.equal((await send(stage.origin, "GET", "/api/operator/sessions", { headers })).status, 403);
  assert.equal((await send(stage.origin, "GET", "/api/operator/sessions")).status, 401);
  const operator = await signIn(stage, "operator");
  const { status } = await send(stage.origin, "GET", "/api/operator/sessions", { headers: operator.headers });
  assert.equal(status, 200);
});

test("another user's session cannot be revoked", async (stage) => {
  const ada = await signIn(stage, "ada");
  const grace = await signIn(stage, "grace");
  const path = `/api/sessions/${ada.answer.json.session.id}`;
  assert.equal((await send(stage.origin, "DELETE", path, { headers: grace.headers })).status, 404);
  const me = await send(stage.origin, "GET", "/api/me", { headers: ada.headers });
  assert.equal(me.json.user?.id, "ada");
});

/** How many sign-ins succeeded, by the metrics. */
async function logins(origin) {
  const answer = await send(origin, "GET", "/metrics");
  assert.equal(answer.status, 200);
  assert.match(answer.headers["content-type"], /^text\/plain/);
  const lines = answer.text.split("\n").filter((line) => line && !line.startsWith("#"));
  for (const line of lines) assert.match(line, /^[a-z_:][\w:]*(\{[^}]*\})? [-+.\deE]+$/i);
  const counts = lines.filter((line) => line.startsWith('strata_logins_total{outcome="done"}'));
  return counts.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}
