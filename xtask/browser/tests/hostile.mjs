// Bad input on raw connections: each is answered or dropped, and the service goes on for everybody else. Clients that stall are looked at
// again in `restart`, so that nobody waits for them.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";

import { send, signIn } from "../http.mjs";
import { test } from "../runner.mjs";

test("headers without end are refused", async ({ origin }) => {
  const text = `GET /health HTTP/1.1\r\nhost: x\r\nx-long: ${"a".repeat(1 << 20)}\r\n\r\n`;
  assert.match(await answer(origin, text), /^$|^HTTP\/1.1 4\d\d/);
  await isWell(origin);
});

test("a thousand headers are refused", async ({ origin }) => {
  const many = Array.from({ length: 1000 }, (_, at) => `x-${at}: 1\r\n`).join("");
  assert.match(await answer(origin, `GET /health HTTP/1.1\r\nhost: x\r\n${many}\r\n`), /^$|^HTTP\/1.1 4\d\d/);
  await isWell(origin);
});

test("cookies that are long, nameless, doubled or of another case sign nobody in", async (stage) => {
  const { headers } = await signIn(stage);
  const [name, value] = headers.cookie.split("=");
  const wrong = [
    `${name}=${"x".repeat(6000)}`,
    `=${value}`,
    value,
    `${name.toLowerCase()}=${value}`,
    `${name.replace("__Host-", "__Secure-")}=${value}`,
    `${name}=${value}; ${name}=${"y".repeat(value.length)}`,
    `${name}="${value}`,
    `${name}=${value.slice(0, -1)}`,
  ];
  for (const cookie of wrong) {
    const { status, json } = await send(stage.origin, "GET", "/api/me", { headers: { cookie } });
    assert.ok(status < 500, `${cookie.slice(0, 40)}: ${status}`);
    if (status < 300) assert.equal(json.user, null, cookie.slice(0, 40));
  }
  const { json } = await send(stage.origin, "GET", "/api/me", { headers });
  assert.equal(json.user.id, "ada");
});

test("a body beyond the limit is refused before it is read to its end", async ({ origin }) => {
  const body = JSON.stringify({ user: "ada", password: "a".repeat(8 << 20) });
  const head = `POST /api/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n`;
  const text = `${head}content-length: ${body.length}\r\n\r\n${body}`;
  assert.match(await answer(origin, text), /^$|^HTTP\/1.1 4\d\d/);
  await isWell(origin);
});

test("bodies that are no JSON, or deep, or of another shape are refused in words", async ({ origin }) => {
  const headers = { origin, "content-type": "application/json" };
  for (const body of ["", "{", "null", "[]", '"x"', '{"user":1}', "[".repeat(100_000), "\xff\xfe", '{"user":"a"}']) {
    const { status, json } = await send(origin, "POST", "/api/login", { headers, body });
    assert.ok(status >= 400 && status < 500, `${body.slice(0, 20)}: ${status}`);
    assert.ok(json?.error, `${body.slice(0, 20)}: no words`);
  }
});

test("garbage after a good request spoils only its own connection", async ({ origin }) => {
  const good = "GET /health HTTP/1.1\r\nhost: x\r\n\r\n";
  const said = await answer(origin, `${good}${"\x00\x16\x03garbage\r\n\r\n".repeat(50)}`);
  assert.match(said, /^HTTP\/1.1 200/);
  assert.ok((said.match(/HTTP\/1.1 200/g) ?? []).length === 1, said.slice(0, 200));
  await isWell(origin);
});

test("a request whose length is told in two ways is refused", async ({ origin }) => {
  const head = "POST /api/login HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n";
  const smuggled = `${head}\r\n0\r\n\r\nGET /metrics HTTP/1.1\r\nhost: x\r\n\r\n`;
  const said = await answer(origin, smuggled);
  assert.ok(!said.includes("# TYPE"), "the second request was answered");
  await isWell(origin);
});

test("clients that half close still have their answers", async ({ origin }) => {
  const sockets = await dialMany(origin, 50);
  const answers = sockets.map((socket) => {
    const answered = heard(socket);
    socket.end("GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    return answered;
  });
  for (const said of await Promise.all(answers)) assert.match(said, /^HTTP\/1.1 200/);
});

test("clients that stall hold nobody up", async (stage) => {
  stage.stalled = await dialMany(stage.origin, 200);
  for (const socket of stage.stalled) socket.write("POST /api/login HTTP/1.1\r\nhost: x\r\nx-slow: a");
  // And some that ask for much and take nothing.
  const deaf = await dialMany(stage.origin, 5);
  for (const socket of deaf) {
    socket.pause();
    socket.write("GET /console.js HTTP/1.1\r\nhost: x\r\n\r\n".repeat(500_000));
  }
  stage.stalled.push(...deaf);
  const start = Date.now();
  await isWell(stage.origin);
  assert.ok(Date.now() - start < 1_000, "others wait");
});

test("a thousand connections at once do not end it", async ({ origin }) => {
  const sockets = await dialMany(origin, 1000);
  await isWell(origin);
  const request = "GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
  const answers = sockets.map((socket) => {
    const answered = heard(socket);
    socket.write(request);
    return answered;
  });
  const good = (await Promise.all(answers)).filter((said) => said.startsWith("HTTP/1.1 200")).length;
  assert.equal(good, sockets.length);
});

/** Sends the text, and gives everything that comes back until the connection ends or nothing more comes. */
async function answer(origin, text) {
  const socket = dial(origin);
  socket.write(text, "latin1");
  return heard(socket, 1_500);
}

/** What comes until the end, or until nothing came for so long. */
function heard(socket, quiet = 10_000) {
  return new Promise((resolve) => {
    const chunks = [];
    const done = () => {
      socket.destroy();
      resolve(Buffer.concat(chunks).toString("latin1"));
    };
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.on("close", done);
    socket.on("end", done);
    socket.setTimeout(quiet, done);
  });
}

/** A connection whose end is no error of the test's. */
function dial(origin) {
  const { hostname, port } = new URL(origin);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  socket.on("error", () => socket.destroy());
  socket.on("end", () => socket.destroy());
  return socket;
}

async function dialMany(origin, count) {
  const sockets = Array.from({ length: count }, () => dial(origin));
  await Promise.all(sockets.map((socket) => once(socket, "connect")));
  return sockets;
}

async function isWell(origin) {
  const { status } = await send(origin, "GET", "/health");
  assert.equal(status, 200);
}
