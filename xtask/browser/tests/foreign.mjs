// A page of another site that tries to act as the user.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";

import { test } from "../runner.mjs";

test("a form and a script of another site can do nothing as the user", async (stage) => {
  const person = await stage.signedIn("ada");
  const site = createServer((_, answer) => {
    answer.setHeader("content-type", "text/html");
    const form = `<form method=post action="${stage.origin}/api/session/logout-everywhere"><button>Win!</button></form>`;
    answer.end(`<!doctype html><title>Elsewhere</title>${form}`);
  });
  site.listen(0, "127.0.0.1");
  await once(site, "listening");
  try {
    const page = await person.context.newPage();
    // Another name of this machine is another site.
    await page.goto(`http://localhost:${site.address().port}`);
    const fetched = await page.evaluate(async (origin) => {
      const sent = { method: "POST", credentials: "include", mode: "no-cors" };
      await fetch(`${origin}/api/session/logout`, sent).catch(() => {});
      return fetch(`${origin}/api/me`, { credentials: "include" }).then(
        (answer) => answer.text(),
        () => "refused",
      );
    }, stage.origin);
    assert.equal(fetched, "refused");
    const [answer] = await Promise.all([page.waitForNavigation(), page.getByRole("button").click()]);
    assert.equal(answer.status(), 403);
  } finally {
    site.closeAllConnections();
    site.close();
  }
  assert.equal((await person.me()).user?.id, "ada");
});
