// What must hold over everything the other tests did: last, on purpose.

import assert from "node:assert/strict";

import { send } from "../http.mjs";
import { test } from "../runner.mjs";

test("the page has a strict content security policy and no inline code", async ({ origin }) => {
  const page = await send(origin, "GET", "/");
  const policy = page.headers["content-security-policy"];
  assert.match(policy, /default-src 'none'|default-src 'self'/);
  assert.ok(!/unsafe-|https?:|\*/.test(policy), policy);
  assert.match(policy, /frame-ancestors 'none'/);
  assert.ok(!/<script(?![^>]*\ssrc=)[^>]*>/i.test(page.text), "a script inside the page");
  assert.ok(!/\son\w+\s*=/i.test(page.text), "an event handler inside the page");
  assert.equal(page.headers["x-content-type-options"], "nosniff");
});

test("the page is small, and all of it comes from here", async ({ origin }) => {
  const page = await send(origin, "GET", "/");
  const parts = [...page.text.matchAll(/<(?:script|link|img)[^>]*\s(?:src|href)="([^"]+)"/g)].map(([, path]) => path);
  assert.ok(parts.length >= 2, `${parts}`);
  const answers = await Promise.all(parts.map((path) => send(origin, "GET", path)));
  assert.deepEqual(answers.filter(({ status }) => status !== 200), []);
  const bytes = answers.reduce((sum, { text }) => sum + text.length, page.text.length);
  assert.ok(bytes > 1_000 && bytes < 100_000, `${bytes} bytes`);
});

test("no request left the origin", (stage) => {
  assert.ok(stage.requests > 50, `${stage.requests} requests were seen`);
  assert.deepEqual(stage.foreign, []);
});

test("no page complained", (stage) => {
  assert.deepEqual(stage.complaints, []);
});

test("the log has neither passwords nor tokens", (stage) => {
  const said = stage.service.said.join("\n");
  for (const password of Object.values(stage.service.passwords)) assert.ok(!said.includes(password));
  assert.ok(!/bearer |__Host-[a-z]+=/i.test(said));
});
