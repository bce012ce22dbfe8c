// The console as a person uses it: what the tests call things, and where they are on the page. Names that people read are found by
// their names; nothing here reaches behind the page, but to ask `/api/me` who is signed in.

import { until } from "./runner.mjs";

/** How long a page may take for what nobody promised within a second, in milliseconds. */
const SOON = 8_000;

export class Console {
  page;
  #stage;

  constructor(page, stage) {
    this.page = page;
    this.#stage = stage;
  }

  get context() {
    return this.page.context();
  }

  get nameField() {
    return this.page.getByLabel("Name", { exact: true });
  }

  get passwordField() {
    return this.page.getByLabel("Password", { exact: true });
  }

  get signInButton() {
    return this.page.getByRole("button", { name: "Sign in", exact: true });
  }

  async reload() {
    await this.page.reload();
  }

  async fill(user, password) {
    await this.nameField.fill(user);
    await this.passwordField.fill(password);
  }

  async submit() {
    await this.signInButton.click();
  }

  async signIn(user, password, { remember = false } = {}) {
    await this.fill(user, password);
    await this.page.getByLabel("Stay signed in for 30 days").setChecked(remember);
    await this.submit();
    await this.isSignedIn(user);
  }

  /** Waits until the page shows that this user is signed in. */
  async isSignedIn(user) {
    await this.#signOutButton.waitFor({ timeout: SOON });
    const me = await this.me();
    if (me.user?.id !== user) throw new Error(`${me.user?.id} is signed in, not ${user}`);
  }

  /** Waits until the page shows that nobody is signed in. */
  async hasLeft(limit = SOON) {
    await this.passwordField.waitFor({ timeout: limit });
  }

  /** From now on the page notes when it shows that nobody is signed in: by its own clock, so that no test's delay counts. */
  async watchForLeaving() {
    await this.passwordField.waitFor({ state: "hidden" });
    await this.page.evaluate(() => {
      window.leftAt = new Promise((resolve) => {
        const look = () => {
          const field = document.querySelector("input[type=password]");
          if (field?.checkVisibility()) resolve(Date.now());
          else requestAnimationFrame(look);
        };
        look();
      });
    });
  }

  /** When that was, in milliseconds since 1970. */
  async leftAt() {
    return this.page.evaluate(() => window.leftAt);
  }

  get #signOutButton() {
    return this.page.getByRole("button", { name: "Sign out", exact: true });
  }

  /** Signs out here. Gives when the button was pressed. */
  async signOut() {
    return this.#press(this.#signOutButton);
  }

  /** Presses a button. Gives when the page felt it, in milliseconds since 1970. */
  async #press(button) {
    await button.waitFor();
    await this.page.evaluate(() => {
      const felt = () => (window.pressedAt = Date.now());
      addEventListener("click", felt, { capture: true, once: true });
    });
    await button.click();
    return this.page.evaluate(() => window.pressedAt);
  }

  async signOutOthers() {
    await this.page.getByRole("button", { name: "Sign out other devices" }).click();
  }

  async signOutEverywhere() {
    await this.page.getByRole("button", { name: "Sign out everywhere" }).click();
    await this.hasLeft();
  }

  /** The rows of one's own sessions. */
  async sessions() {
    return this.page.evaluate(() =>
      [...document.querySelectorAll("#sessions [data-session]")].map((row) => ({
        id: row.dataset.session,
        text: row.textContent,
        current: row.textContent.includes("this browser"),
      })),
    );
  }

  #row(id) {
    return this.page.locator(`#sessions [data-session="${id}"]`);
  }

  /** The button that revokes a session, once it is there. */
  async revokeButton(id) {
    const button = this.#row(id).getByRole("button");
    await button.waitFor();
    return button;
  }

  /** Revokes a session. Gives when the button was pressed. */
  async revoke(id) {
    return this.#press(await this.revokeButton(id));
  }

  /** Moves the focus on with Tab until it is there. */
  async tabTo(locator) {
    const has = () => locator.evaluate((el) => el === document.activeElement);
    for (let presses = 0; presses < 120; presses += 1) {
      if (await has()) return;
      await this.page.keyboard.press("Tab");
    }
    throw new Error("Tab does not lead there");
  }

  async says(text) {
    await this.page.getByText(text).first().waitFor({ timeout: SOON });
  }

  async countdown() {
    return this.page.getByRole("timer").innerText();
  }

  /** The products that can be put into the cart. */
  async products() {
    const names = await this.page.locator("#shelf").getByRole("button").allInnerTexts();
    return names.map((name) => name.trim().toLowerCase());
  }

  /** Puts so many of a product into the cart, one click each. */
  async add(product, quantity) {
    const before = (await this.cart())[product] ?? 0;
    const button = this.page.getByRole("button", { name: `Add ${product} to the cart` });
    for (let count = 0; count < quantity; count += 1) await button.click();
    await until("it is in the cart", async () => (await this.cart())[product] === before + quantity);
  }

  /** The cart as the page shows it: quantities by product. */
  async shownCart() {
    const lines = await this.page.getByRole("list", { name: "In the cart" }).getByRole("listitem").allInnerTexts();
    return Object.fromEntries(lines.map((line) => line.toLowerCase().split(/\s+/)).map(([name, count]) => [name, Number(count)]));
  }

  /** The cart as the service has it: quantities by product. */
  async cart() {
    const { cart } = await this.me();
    return Object.fromEntries(cart.map(({ product, quantity }) => [product, quantity]));
  }

  /** Who this browser is to the service. */
  async me() {
    return this.page.evaluate(async () => (await fetch("/api/me")).json());
  }

  async cookies() {
    return this.context.cookies(this.#stage.origin);
  }

  /** Whether visits of this browser are counted. */
  async consent(given) {
    await this.page.getByLabel(/count my visits/i).setChecked(given);
  }

  /** A visit that is counted: it begins with the consent and ends with a sign-out. */
  async visitAndLeave(user, password) {
    const counted = this.page.waitForResponse((answer) => answer.url().endsWith("/api/visit") && answer.ok());
    await this.consent(true);
    await counted;
    await this.signIn(user, password);
    await this.page.getByRole("link", { name: "Cart" }).click();
    await this.signOut();
    await this.hasLeft();
  }

  async switchTheme() {
    await this.page.locator("#theme").click();
  }

  /** Waits until every chart has something drawn. */
  async chartsAreDrawn() {
    await until("every chart is drawn", async () => (await this.charts()).every(({ marks }) => marks > 0));
  }

  /** Every chart by its caption, and how many marks of data are drawn in it. */
  async charts() {
    return this.page.locator("#insight figure").evaluateAll((figures) =>
      figures.map((figure) => ({
        title: figure.querySelector("figcaption").textContent,
        marks: figure.querySelectorAll("svg rect, svg path, svg circle, svg polyline").length,
      })),
    );
  }
}
