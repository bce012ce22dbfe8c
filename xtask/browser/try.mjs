// Runs the browser tests: node run.mjs --binary STRATA --browser CHROMIUM --screenshots FOLDER [--only TEXT].

import { parseArgs } from "node:util";

import { run } from "./runner.mjs";
import { Stage } from "./stage.mjs";

import "./tests/routes.mjs";







import "./tests/hostile.mjs";
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
