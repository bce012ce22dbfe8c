// A small runner of tests: in order, each with a limit, counted as cargo's tests are.

import { setTimeout as pause } from "node:timers/promises";

const tests = [];

/** How long one test may take, in milliseconds. */
const LIMIT = 30_000;

/** Adds a test. `body` is given the stage. */
export function test(name, body) {
  tests.push({ name, body });
}

/** Runs the tests with `only` in their names. Gives whether all passed. */
export async function run(stage, only) {
  const wanted = tests.filter(({ name }) => name.includes(only));
  const start = Date.now();
  let failed = 0;
  for (const { name, body } of wanted) {
    const began = Date.now();
    const failure = await outcome(body, stage);
    console.log(`test ${name} ... ${failure ? "FAILED" : "ok"} (${Date.now() - began} ms)`);
    if (failure) {
      failed += 1;
      console.log(failure.stack ?? failure);
      await stage.failed(name);
    }
    await stage.clear();
  }
  const passed = wanted.length - failed;
  const word = failed ? "FAILED" : "ok";
  const seconds = ((Date.now() - start) / 1000).toFixed(2);
  console.log(`\ntest result: ${word}. ${passed} passed; ${failed} failed; 0 ignored; finished in ${seconds}s`);
  return failed === 0 && wanted.length > 0;
}

async function outcome(body, stage) {
  const late = new AbortController();
  const limit = pause(LIMIT, undefined, { signal: late.signal }).then(() => {
    throw new Error(`it took longer than ${LIMIT} ms`);
  });
  try {
    await Promise.race([body(stage), limit]);
    return undefined;
  } catch (failure) {
    return failure instanceof Error ? failure : new Error(String(failure));
  } finally {
    late.abort();
    limit.catch(() => {}); // called off
  }
}

/** Waits until `look` gives something true, and gives that. Fails with `what` after `limit` milliseconds. */
export async function until(what, look, limit = 10_000) {
  const end = Date.now() + limit;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`after ${limit} ms still not: ${what}`);
    await pause(25);
  }
}
