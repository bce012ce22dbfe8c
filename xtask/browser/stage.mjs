// What every test is given: the service, and browsers that know nothing of each other.

import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { chromium } from "playwright-core";

import { Console } from "./console.mjs";
import { Service } from "./service.mjs";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export class Stage {
  service;
  /** What pages complained of, and what they asked other origins for. */
  complaints = [];
  foreign = [];
  /** Connections that stall, from one test to a later one. */
  stalled = [];
  /** Requests of pages, all tests together. */
  requests = 0;

  #browser;
  #screenshots;
  #contexts = [];

  constructor(service, browser, screenshots) {
    this.service = service;
    this.#browser = browser;
    this.#screenshots = screenshots;
  }

  static async set({ binary, browser, screenshots }) {
    await mkdir(screenshots, { recursive: true });
    const service = await Service.fresh(binary);
    try {
      const launched = await chromium.launch({ executablePath: browser, args: FLAGS });
      return new Stage(service, launched, screenshots);
    } catch (error) {
      await service.remove();
      throw error;
    }
  }

  get origin() {
    return this.service.origin;
  }

  /** A browser of its own: nobody's cookies, and the console open in its first tab. */
  async person(options = {}) {
    const context = await this.#browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    this.#contexts.push(context);
    context.setDefaultTimeout(8_000);
    context.on("request", (request) => this.#asked(request));
    context.on("console", (message) => this.#heard(message));
    context.on("weberror", (error) => this.complaints.push(`exception: ${error.error().message}`));
    return this.tab(context);
  }

  /** Another tab of the same browser. */
  async tab(context) {
    const page = await context.newPage();
    await page.goto(this.origin);
    return new Console(page, this);
  }

  /** A person who has signed in. */
  async signedIn(user = "ada", options = {}) {
    const { remember, ...context } = options;
    const person = await this.person(context);
    await person.signIn(user, this.service.passwords[user], { remember });
    return person;
  }

  async screenshot(page, name) {
    await page.screenshot({ path: join(this.#screenshots, `${name}.png`), fullPage: true });
  }

  /** Pictures of every open page of a test that failed. */
  async failed(name) {
    const pages = this.#contexts.flatMap((context) => context.pages());
    const label = name.replaceAll(/[^a-z0-9]+/gi, "-");
    for (const [at, page] of pages.entries()) {
      await this.screenshot(page, `failed-${label}-${at}`).catch(() => {}); // the page may be gone
    }
  }

  /** Closes the browsers of one test. */
  async clear() {
    await Promise.all(this.#contexts.splice(0).map((context) => context.close()));
  }

  async strike() {
    await this.#browser.close();
    await this.service.remove();
  }

  /** What pages of the service ask for. (A test has a page of another site.) */
  #asked(request) {
    const isOurs = request.isNavigationRequest() || request.frame().url().startsWith(this.origin);
    if (!isOurs || request.url().startsWith("http://localhost:")) return;
    this.requests += 1;
    const { protocol, origin } = new URL(request.url());
    if (protocol !== "data:" && protocol !== "blob:" && origin !== this.origin) this.foreign.push(request.url());
  }

  /** Every refused request logs an error in Chromium, those that a test provokes too: only others of our pages are complaints. */
  #heard(message) {
    const isRefusal = /^Failed to load resource: /.test(message.text());
    const isOurs = message.page()?.url().startsWith(this.origin);
    if (message.type() === "error" && isOurs && !isRefusal) this.complaints.push(message.text());
  }
}
