// What time and a restart leave: no client that stalls, and everybody signed in, however the service ended.

import assert from "node:assert/strict";

import { test, until } from "../runner.mjs";

/** How long a connection that stalls may be kept, in milliseconds. */
const PATIENCE = 20_000;

test("clients that stall have been dropped", async ({ stalled }) => {
  assert.equal(stalled.length, 205);
  await until("all are dropped", () => stalled.every((socket) => socket.destroyed), PATIENCE);
});

test("restart it: still signed in", async (stage) => {
  const person = await stage.signedIn("ada");
  assert.equal(await stage.service.stop(), 0);
  await stage.service.start();
  await person.reload();
  await person.isSignedIn("ada");
});

test("kill -9 it: still signed in", async (stage) => {
  const person = await stage.signedIn("grace");
  await person.add("tea", 2);
  await stage.service.kill();
  await stage.service.start();
  await person.reload();
  await person.isSignedIn("grace");
  assert.equal((await person.cart()).tea, 2);
});

test("the console finds its way back by itself when the service returns", async (stage) => {
  const person = await stage.signedIn("ada");
  await stage.service.kill();
  await stage.service.start();
  const other = await stage.tab(person.context);
  await other.signOut();
  await person.hasLeft(20_000);
});

test("what changed while a tab was cut off is shown once it is back", async (stage) => {
  const first = await stage.signedIn("ada");
  const second = await stage.tab(first.context);
  await second.isSignedIn("ada");
  await stage.service.kill();
  await stage.service.start();
  await first.add("lamp", 1); // long before the browser tries to follow events again
  const expected = (await first.cart()).lamp;
  await until("the other tab shows it", async () => (await second.shownCart()).lamp === expected);
});

test("passwords are printed once", async (stage) => {
  const { passwords } = stage.service;
  stage.service.passwords = {};
  try {
    await stage.service.stop();
    await stage.service.start();
    assert.deepEqual(stage.service.passwords, {});
  } finally {
    stage.service.passwords = passwords;
  }
  const said = stage.service.said.join("\n");
  for (const password of Object.values(passwords)) assert.ok(!said.includes(password), "a password was logged");
});
