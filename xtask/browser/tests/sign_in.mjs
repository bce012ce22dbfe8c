// Signing in: with a printed password, by the keyboard alone, for 30 days; and who is refused.

import assert from "node:assert/strict";

import { test, until } from "../runner.mjs";

test("sign in with a printed password", async (stage) => {
  const person = await stage.person();
  await stage.screenshot(person.page, "signed-out-light");
  await person.signIn("ada", stage.service.passwords.ada);
  await person.isSignedIn("ada");
  assert.ok((await person.cookies()).some((cookie) => cookie.name.startsWith("__Host-") && cookie.httpOnly));
});

test("a wrong password is refused in words, and nobody is signed in", async (stage) => {
  const person = await stage.person();
  await person.fill("ada", "not the password");
  await person.submit();
  await person.says(/wrong/i);
  await stage.screenshot(person.page, "wrong-password-light");
  assert.equal((await person.me()).user, null);
});

test("the keyboard alone signs in", async (stage) => {
  const person = await stage.person();
  await person.tabTo(person.nameField);
  await person.page.keyboard.type("ada");
  await person.tabTo(person.passwordField);
  await person.page.keyboard.type(stage.service.passwords.ada);
  await person.page.keyboard.press("Enter");
  await person.isSignedIn("ada");
});

test("what has the keyboard's focus can be seen", async (stage) => {
  const person = await stage.person();
  await person.tabTo(person.signInButton);
  const ring = await person.page.evaluate(() => {
    const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(document.activeElement);
    return { outlined: outlineStyle !== "none" && parseFloat(outlineWidth) >= 2, boxShadow };
  });
  assert.ok(ring.outlined || ring.boxShadow !== "none", JSON.stringify(ring));
});

test("remember-me keeps this browser for 30 days", async (stage) => {
  const person = await stage.signedIn("ada", { remember: true });
  const day = 86_400_000;
  const { session } = await person.me();
  assert.ok(session.remembered && session.latest - session.created > 29.9 * day);
  const kept = (await person.cookies()).find((cookie) => cookie.expires > 0);
  const days = kept.expires / 86_400 - Date.now() / day;
  assert.ok(days > 29.9 && days <= 30.01, `${days} days`);
});

test("a live countdown shows how long the session lasts", async (stage) => {
  const person = await stage.signedIn("ada");
  const seen = new Set();
  await until("three values of the countdown", async () => {
    seen.add(await person.countdown());
    return seen.size >= 3;
  });
  for (const text of seen) assert.match(text, /\d/);
});
