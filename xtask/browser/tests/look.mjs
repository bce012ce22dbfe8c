// How the page looks: light and dark, on a desk and on a phone. The pictures are for people; what can be measured is.

import assert from "node:assert/strict";

import { send, signIn } from "../http.mjs";
import { test } from "../runner.mjs";

const PHONE = { viewport: { width: 375, height: 812 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };

/** WCAG 2.2, 1.4.3 and 1.4.11: text of common size, and the edges of fields. */
const CONTRAST = { text: 4.5, edge: 3 };

/** Ends what other tests left, so that the pictures show what a person would see. */
async function tidied(stage, user) {
  const { headers } = await signIn(stage, user);
  await send(stage.origin, "POST", "/api/session/logout-everywhere", { headers });
}

test("the page follows the system into the dark, and is readable there and in the light", async (stage) => {
  const shades = {};
  await tidied(stage, "ada");
  for (const colorScheme of ["light", "dark"]) {
    const person = await stage.person({ colorScheme });
    await isReadable(person.page, `signed out, ${colorScheme}`);
    await stage.screenshot(person.page, `signed-out-${colorScheme}`);
    await person.signIn("ada", stage.service.passwords.ada);
    await person.isSignedIn("ada");
    await isReadable(person.page, `signed in, ${colorScheme}`);
    await stage.screenshot(person.page, `signed-in-${colorScheme}`);
    shades[colorScheme] = await person.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  }
  assert.ok(brightness(shades.light) > 200, shades.light);
  assert.ok(brightness(shades.dark) < 60, shades.dark);
});

test("a switch changes light and dark, and is remembered", async (stage) => {
  const person = await stage.person({ colorScheme: "light" });
  const shade = () => person.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const before = brightness(await shade());
  await person.switchTheme();
  assert.ok(brightness(await shade()) < before - 100);
  await person.reload();
  assert.ok(brightness(await shade()) < before - 100);
});

test("on a phone nothing scrolls sideways and everything can be touched", async (stage) => {
  await tidied(stage, "operator");
  for (const colorScheme of ["light", "dark"]) {
    const person = await stage.person({ ...PHONE, colorScheme });
    await isNarrow(person.page);
    await stage.screenshot(person.page, `phone-signed-out-${colorScheme}`);
    await person.signIn("operator", stage.service.passwords.operator);
    await person.isSignedIn("operator");
    await person.chartsAreDrawn();
    await isNarrow(person.page);
    await isTouchable(person.page);
    await stage.screenshot(person.page, `phone-signed-in-${colorScheme}`);
  }
});

test("every field and button has a name, and the page has a language, a title and one main heading", async (stage) => {
  const person = await stage.signedIn("operator");
  const found = await person.page.evaluate(() => {
    const visible = [...document.querySelectorAll("button, input, select, a")].filter((el) => el.checkVisibility());
    const name = (el) =>
      el.ariaLabel || el.getAttribute("aria-labelledby") || el.labels?.[0]?.textContent || el.textContent || el.title;
    return {
      nameless: visible.filter((el) => !name(el)?.trim()).map((el) => el.outerHTML),
      lang: document.documentElement.lang,
      title: document.title,
      headings: [...document.querySelectorAll("h1")].filter((el) => el.checkVisibility()).length,
      live: document.querySelectorAll("[aria-live], [role=status], [role=alert]").length,
      main: document.querySelectorAll("main").length,
    };
  });
  assert.deepEqual(found.nameless, []);
  assert.ok(found.lang && found.title && found.live > 0, JSON.stringify(found));
  assert.deepEqual([found.headings, found.main], [1, 1]);
});

async function isNarrow(page) {
  const { wide, shown } = await page.evaluate(() => ({
    wide: document.documentElement.scrollWidth,
    shown: document.documentElement.clientWidth,
  }));
  assert.ok(wide <= shown, `${wide} pixels in ${shown}`);
}

/** WCAG 2.2, 2.5.8: 24 pixels at least. */
async function isTouchable(page) {
  const small = await page.evaluate(() =>
    [...document.querySelectorAll("button, input, select")]
      .filter((el) => el.checkVisibility())
      .map((el) => ({ el: (el.closest("label") ?? el).getBoundingClientRect(), html: el.outerHTML.slice(0, 80) }))
      .filter(({ el }) => el.height < 24 || el.width < 24)
      .map(({ html }) => html),
  );
  assert.deepEqual(small, []);
}

/** Every text, and every edge of a field, against what is behind it. */
async function isReadable(page, when) {
  const poor = await page.evaluate((least) => {
    // A canvas turns any CSS colour into bytes.
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const bytes = (color) => {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = color;
      canvas.fillRect(0, 0, 1, 1);
      return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const light = ([r, g, b]) => {
      const part = (byte) => (byte / 255 <= 0.04045 ? byte / 255 / 12.92 : ((byte / 255 + 0.055) / 1.055) ** 2.4);
      return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
    };
    const over = (top, below) => top.slice(0, 3).map((byte, at) => (byte * top[3] + below[at] * (255 - top[3])) / 255);
    const behind = (el) => {
      const layers = [];
      for (let at = el; at; at = at.parentElement) layers.push(bytes(getComputedStyle(at).backgroundColor));
      return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255]);
    };
    const ratio = (one, other) => {
      const [a, b] = [light(one), light(other)];
      return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    };
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const poor = [];
    while (texts.nextNode()) {
      const el = texts.currentNode.parentElement;
      const text = texts.currentNode.textContent.trim();
      const isSeen = el.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true }) && el.getClientRects().length;
      const box = el.getBoundingClientRect();
      if (!text || !isSeen || box.width <= 1 || box.bottom < 0 || el.closest("svg, :disabled, noscript, script")) continue;
      const found = ratio(over(bytes(getComputedStyle(el).color), behind(el)), behind(el));
      if (found < least.text) poor.push(`${found.toFixed(2)}: ${text.slice(0, 40)}`);
    }
    for (const field of document.querySelectorAll("input:not([type=checkbox]), select")) {
      if (!field.checkVisibility()) continue;
      const found = ratio(bytes(getComputedStyle(field).borderTopColor), behind(field.parentElement));
      if (found < least.edge) poor.push(`${found.toFixed(2)}: the edge of ${field.id}`);
    }
    return poor;
  }, CONTRAST);
  assert.deepEqual(poor, [], when);
}

function brightness(color) {
  const [r, g, b] = color.match(/[\d.]+/g).map(Number);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
