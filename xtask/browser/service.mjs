// The service under test: the binary in a fresh folder, on a free port, ended by its process id.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";

/** How long it may take to start or to end, in milliseconds. */
const PATIENCE = 20_000;

/** How many of its lines are kept. */
const KEPT = 500;

/** Services that run: none outlives this program, however it ends. */
const running = new Set();
process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));

export class Service {
  /** By user: the password that was printed. */
  passwords = {};
  /** Everything it printed but the passwords. */
  said = [];
  origin = undefined;

  #binary;
  #folder;
  #child;

  constructor(binary, folder) {
    this.#binary = binary;
    this.#folder = folder;
  }

  /** A service with no data yet. */
  static async fresh(binary) {
    const folder = await mkdtemp(join(tmpdir(), "strata-browser-"));
    const service = new Service(binary, folder);
    await service.start();
    return service;
  }

  /** Starts it, on the port it had before, and waits until it is healthy. */
  async start() {
    const listen = this.origin ? new URL(this.origin).host : "127.0.0.1:0";
    const own = ["--json", "serve", "--listen", listen, "--data", join(this.#folder, "data")];
    const { STRATA_STORE, STRATA_KEY, STRATA_PASSPHRASE, ...others } = process.env;
    this.#child = spawn(this.#binary, [...own, "--key-file", join(this.#folder, "key")], {
      env: { ...others, HOME: this.#folder },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const child = this.#child;
    running.add(child);
    child.on("exit", () => running.delete(child));
    this.#child.on("error", (error) => this.said.push(String(error)));
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => this.#hear(line));
    }
    await this.#healthy();
  }

  /** Asks it to end, as an operator does. Gives its exit code. */
  async stop() {
    return this.#end("SIGTERM");
  }

  /** Ends it as `kill -9` does. */
  async kill() {
    return this.#end("SIGKILL");
  }

  /** Ends it, and removes its data. */
  async remove() {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #end(signal) {
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const ended = once(child, "exit");
    child.kill(signal);
    const late = new AbortController();
    const limit = pause(PATIENCE, "late", { signal: late.signal }).catch(() => undefined);
    const first = await Promise.race([ended, limit]);
    late.abort();
    if (first === "late") {
      child.kill("SIGKILL");
      throw new Error(`the service was still running ${PATIENCE} ms after ${signal}`);
    }
    return child.exitCode;
  }

  #hear(line) {
    const fact = parsed(line);
    if (fact.user && fact.password) {
      this.passwords[fact.user] = fact.password;
      return;
    }
    if (fact.listening) this.origin = fact.listening;
    this.said.push(line);
    if (this.said.length > KEPT) this.said.shift();
  }

  async #healthy() {
    const end = Date.now() + PATIENCE;
    while (Date.now() < end) {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) break;
      if (this.origin && (await isHealthy(this.origin))) return;
      await pause(25);
    }
    await this.kill();
    throw new Error(`the service did not become healthy; it said:\n${this.said.join("\n")}`);
  }
}

function parsed(line) {
  try {
    return JSON.parse(line) ?? {};
  } catch {
    return {};
  }
}

async function isHealthy(origin) {
  try {
    return (await fetch(`${origin}/health`)).ok;
  } catch {
    return false;
  }
}
