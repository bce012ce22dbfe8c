// Runs the browser tests: node run.mjs --binary STRATA --browser CHROMIUM --screenshots FOLDER [--only TEXT].

import { parseArgs } from "node:util";

import { run } from "./runner.mjs";
import { Stage } from "./stage.mjs";

import "./tests/routes.mjs";
import "./tests/hostile.mjs";
import "./tests/foreign.mjs";
import "./tests/sign_in.mjs";
import "./tests/sessions.mjs";
import "./tests/cart.mjs";
import "./tests/tabs.mjs";
import "./tests/analytics.mjs";
import "./tests/look.mjs";
import "./tests/restart.mjs";
import "./tests/manners.mjs";

const text = { type: "string" };
const { values } = parseArgs({
  options: { binary: text, browser: text, screenshots: text, only: { ...text, default: "" } },
});

const stage = await Stage.set(values);
let passed = false;
try {
  passed = await run(stage, values.only);
} finally {
  await stage.strike();
}
process.exitCode = passed ? 0 : 1;
