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

test("the page is one small page", async (stage) => {
  const sizes = [];
  const person = await stage.person();
  person.page.on("response", (answer) => {
    const isPage = !new URL(answer.url()).pathname.startsWith("/api/"); // events never end
    if (isPage) sizes.push(answer.body().then((body) => body.length));
  });
  await person.reload();
  const bytes = (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
  assert.ok(bytes > 1_000 && bytes < 150_000, `${bytes} bytes`);
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
