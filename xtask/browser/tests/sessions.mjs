// Sessions and devices: listed, revoked, left everywhere.

import assert from "node:assert/strict";

import { test, until } from "../runner.mjs";

test("sessions and devices are listed, this one marked", async (stage) => {
  const person = await stage.signedIn("grace");
  await person.signOutEverywhere();
  await person.signIn("grace", stage.service.passwords.grace);
  const other = await stage.signedIn("grace", { userAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0" });
  await other.isSignedIn("grace");
  const rows = await until("two sessions", async () => {
    const rows = await person.sessions();
    return rows.length === 2 && rows;
  });
  assert.equal(rows.filter((row) => row.current).length, 1);
  assert.ok(rows.some((row) => /firefox/i.test(row.text)), rows.map((row) => row.text).join("\n"));
  await stage.screenshot(person.page, "sessions-light");
});

test("revoke another browser's session and that browser leaves", async (stage) => {
  const person = await stage.signedIn("ada");
  const other = await stage.signedIn("ada");
  const { session } = await other.me();
  await person.revoke(session.id);
  await other.hasLeft();
  assert.equal((await other.me()).user, null);
  await person.isSignedIn("ada");
  const ids = await until("it is off the list", async () => {
    const rows = await person.sessions();
    return rows.every((row) => row.id !== session.id) && rows;
  });
  assert.ok(ids.length >= 1);
});

test("the keyboard alone revokes a session", async (stage) => {
  const person = await stage.signedIn("ada");
  const other = await stage.signedIn("ada");
  const { session } = await other.me();
  const button = await person.revokeButton(session.id);
  await person.tabTo(button);
  await person.page.keyboard.press("Enter");
  await other.hasLeft();
});

test("sign out the others: they leave, this one stays", async (stage) => {
  const person = await stage.signedIn("grace");
  const other = await stage.signedIn("grace");
  await person.signOutOthers();
  await other.hasLeft();
  await person.isSignedIn("grace");
  assert.equal((await person.me()).user.id, "grace");
});

test("log out everywhere: all leave", async (stage) => {
  const people = [await stage.signedIn("grace"), await stage.signedIn("grace"), await stage.signedIn("grace")];
  await people[0].signOutEverywhere();
  for (const person of people) await person.hasLeft();
  for (const person of people) assert.equal((await person.me()).user, null);
});
