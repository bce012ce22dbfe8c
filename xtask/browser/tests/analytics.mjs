// Analytics as charts: active sessions, pages, devices, durations.

import assert from "node:assert/strict";

import { test } from "../runner.mjs";

test("charts are drawn from what visitors did", async (stage) => {
  const visitor = await stage.person();
  await visitor.visitAndLeave("grace", stage.service.passwords.grace);
  const phone = await stage.person({ viewport: { width: 375, height: 812 } });
  await phone.visitAndLeave("grace", stage.service.passwords.grace);
  const person = await stage.signedIn("operator");
  await person.chartsAreDrawn();
  const charts = await person.charts();
  for (const expected of [/active/i, /page/i, /device/i, /duration/i]) {
    const chart = charts.find(({ title }) => expected.test(title));
    assert.ok(chart, `${expected} among ${charts.map(({ title }) => title)}`);
    assert.ok(chart.marks > 0, `${chart.title} is empty`);
  }
  await stage.screenshot(person.page, "charts-light");
});

test("without consent nothing is counted", async (stage) => {
  const visitor = await stage.person();
  await visitor.consent(false);
  const sent = [];
  visitor.page.on("request", (request) => {
    if (request.url().endsWith("/api/visit")) sent.push(request.postDataJSON());
  });
  await visitor.reload();
  assert.ok(sent.every(({ consent }) => consent === false), JSON.stringify(sent));
});
