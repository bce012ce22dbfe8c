// Two tabs of one browser, and two browsers of one user, in step by server events.

import assert from "node:assert/strict";

import { test, until } from "../runner.mjs";

/** What the console promises, in milliseconds. */
const A_SECOND = 1_000;

test("two tabs are in step: what one adds the other shows", async (stage) => {
  const first = await stage.signedIn("ada");
  const second = await stage.tab(first.context);
  await second.isSignedIn("ada");
  const [product] = await first.products();
  const before = (await second.shownCart())[product] ?? 0;
  await first.add(product, 1);
  await until("the other tab shows it", async () => (await second.shownCart())[product] === before + 1, A_SECOND * 2);
});

test("two tabs are in step: a sign-in in one shows in the other", async (stage) => {
  const first = await stage.person();
  const second = await stage.tab(first.context);
  await first.signIn("ada", stage.service.passwords.ada);
  await second.isSignedIn("ada");
});

test("log out in one tab and the other leaves within a second", async (stage) => {
  const first = await stage.signedIn("ada");
  const second = await stage.tab(first.context);
  await second.isSignedIn("ada");
  await second.watchForLeaving();
  const from = await first.signOut();
  const took = (await second.leftAt()) - from;
  assert.ok(took <= A_SECOND, `it took ${took} ms`);
  await stage.screenshot(second.page, "left-light");
});

test("a session revoked from another browser leaves within a second", async (stage) => {
  const person = await stage.signedIn("ada");
  const other = await stage.signedIn("ada");
  await other.watchForLeaving();
  const { session } = await other.me();
  const from = await person.revoke(session.id);
  const took = (await other.leftAt()) - from;
  assert.ok(took <= A_SECOND, `it took ${took} ms`);
});
