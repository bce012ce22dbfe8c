// The guest's cart becomes the user's: nothing lost, nothing doubled.

import assert from "node:assert/strict";

import { test, until } from "../runner.mjs";

test("a guest's cart is kept without a sign-in", async (stage) => {
  const guest = await stage.person();
  await guest.add("tea", 2);
  await guest.reload();
  assert.equal((await guest.cart()).tea, 2);
  await stage.screenshot(guest.page, "guest-cart-light");
});

test("a guest who is quicker than the service has everything in one cart", async (stage) => {
  const guest = await stage.person();
  // All before the answer to the first, which brings the cookie.
  await guest.page.locator("#add-tea").evaluate((button) => [1, 2, 3].forEach(() => button.click()));
  await until("the page shows it", async () => (await guest.shownCart()).tea === 3);
  assert.equal((await guest.cart()).tea, 3);
});

test("the guest's cart becomes the user's, added to what was there, once", async (stage) => {
  const person = await stage.signedIn("operator");
  const before = await person.cart();
  await person.signOut();
  await person.hasLeft();
  const [product] = await person.products();
  await person.add(product, 3);
  await person.signIn("operator", stage.service.passwords.operator);
  await person.isSignedIn("operator");
  const expected = (before[product] ?? 0) + 3;
  await until("the cart is the sum", async () => (await person.cart())[product] === expected);
  // Again: what was moved is not moved twice.
  await person.signOut();
  await person.hasLeft();
  await person.signIn("operator", stage.service.passwords.operator);
  await person.isSignedIn("operator");
  assert.equal((await person.cart())[product], expected);
});

test("a guest's cart is nobody else's", async (stage) => {
  const guest = await stage.person();
  const [product] = await guest.products();
  await guest.add(product, 1);
  const stranger = await stage.person();
  assert.deepEqual(await stranger.cart(), {});
});
