//! The SDK in plain Node, by its own stand-ins.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { config, enqueue, fetch, kv, log, PermanentError, progress, RetryableError, secret, task } from "tasklane-sdk";
import { create, openResult, payload } from "tasklane-sdk/blobs";
import { reset, run, world } from "tasklane-sdk/testing";
import { readable } from "../src/stack.ts";
import { decode, encode } from "../src/text.ts";

beforeEach(reset);

test("a result is JSON, bytes or text", async () => {
  const echo = task(async (_, input: unknown) => input);
  assert.deepEqual(await run(echo, { a: ["ü😀"] }), { ok: true, result: { a: ["ü😀"] }, bytes: encode('{"a":["ü😀"]}') });
  const nothing = await run(task(() => undefined), undefined);
  assert.ok(nothing.ok && nothing.result === null);
  const text = await run(task((_, input: string) => input.toUpperCase(), { input: "text", output: "text" }), encode("grüße"));
  assert.ok(text.ok && decode(text.bytes) === "GRÜSSE");
  const bytes = await run(task((_, input: Uint8Array) => input.slice(1), { input: "bytes" }), new Uint8Array([1, 255]));
  assert.ok(bytes.ok && bytes.bytes[0] === 255);
});

test("what is thrown is told", async () => {
  const throws = (error: unknown) => run(task(async () => Promise.reject(error)), 1);
  const permanent = await throws(new PermanentError("no-good", "it is bad", { a: 1 }));
  assert.deepEqual(permanent, { ok: false, retryable: false, code: "no-good", message: "it is bad", details: { a: 1 }, afterMs: undefined });
  const later = await throws(new RetryableError("busy", "later", 50));
  assert.ok(!later.ok && later.retryable && later.afterMs === 50);
  const unforeseen = await throws(new TypeError("oh"));
  assert.ok(!unforeseen.ok && unforeseen.retryable && unforeseen.code === "error" && unforeseen.message === "TypeError: oh");
  assert.equal(world().log[0]?.message, "TypeError: oh");
  assert.ok(!(await throws("a text")).ok);
});

test("an input that does not fit is named", async () => {
  const schema = { "~standard": { validate: () => ({ issues: [{ message: "Expected number", path: ["sizes", 1, { key: "w" }] }] }) } };
  const misfit = await run(task(async () => 1, { input: schema }), {});
  assert.ok(!misfit.ok && misfit.code === "bad_input" && misfit.message === "`sizes[1].w`: Expected number");
  for (const bytes of [encode("{"), new Uint8Array([0xff]), encode("[".repeat(100_000))]) {
    const bad = await run(task(async () => 1), bytes);
    assert.ok(!bad.ok && !bad.retryable && bad.code === "bad_input", JSON.stringify(bad));
  }
  const bad = await run(task(async () => () => 1), 1);
  assert.ok(!bad.ok && bad.code === "bad_output");
});

test("the host's stand-ins keep what is said and answer what is set", async () => {
  world().config.set("colour", "blue");
  world().secrets.set("token", encode("hunter2"));
  world().answers.set("https://a.test/x", { status: 201, headers: [["etag", encode("7")]], body: encode('{"b":1}') });
  assert.deepEqual([config("colour"), config("none"), secret("token")], ["blue", undefined, "hunter2"]);
  assert.throws(() => secret("other"), /taskctl secrets set other/);
  log.warn("odd", { n: 1, who: "Ada" });
  progress(7, "far");
  assert.deepEqual(world().log[0]?.fields, [{ key: "n", value: "1" }, { key: "who", value: "Ada" }]);
  assert.deepEqual(world().progress, [{ fraction: 1, message: "far" }]);
  assert.equal(enqueue([{ key: "a", module: "m", input: { x: 1 }, options: { priority: 8 } }]).length, 1);
  assert.equal(decode(world().children[0]?.input ?? new Uint8Array()), '{"x":1}');
  const answer = await fetch("https://a.test/x", { method: "POST", body: "hello" });
  assert.deepEqual([answer.status, answer.ok, answer.headers.get("ETag"), await answer.json()], [201, true, "7", { b: 1 }]);
  await assert.rejects(fetch("https://elsewhere.test/"), { code: "HTTP-request-denied" });
});

test("keys and values follow the contract", () => {
  const store = kv.own();
  const revision = store.set("a", "1");
  assert.equal(store.compareAndSet("a", "absent", "2").done, false);
  assert.equal(store.compareAndSet("a", { revision }, "2").done, true);
  assert.equal(store.get("a")?.text(), "2");
  assert.equal(store.increment("a", 40), 42);
  store.set("b", "");
  assert.deepEqual(store.keys("", undefined, 1), { keys: ["a"], next: "a" });
  assert.deepEqual([store.delete("a"), store.delete("a")], [true, false]);
});

test("blobs go piece by piece", () => {
  world().payload = encode("abc");
  world().results.set("one", encode("xyz"));
  assert.equal(decode(payload().read(1, 2)), "bc");
  assert.equal(openResult("one")?.size(), 3);
  const writer = create();
  writer.write(new Uint8Array(600_000));
  assert.equal(writer.finish().size, 600_000);
  assert.equal(world().written?.length, 600_000);
});

test("stacks name the author's places", () => {
  const globals = globalThis as { __tasklaneSourceMap?: unknown };
  // Line 2, column 4 (both from 0) of the bundle is line 9, column 2 of the source.
  globals.__tasklaneSourceMap = { sources: ["src/task.ts"], mappings: ";;IASE" };
  assert.equal(readable("at work (main.js:3:9)\nat native"), "at work (src/task.ts:10:3)\nat native");
  delete globals.__tasklaneSourceMap;
});

test("UTF-8 is that of TextEncoder", () => {
  const text = "a\u0000ß€😀\ud800x";
  assert.deepEqual(encode(text), new TextEncoder().encode(text));
  assert.equal(decode(new TextEncoder().encode("ß€😀".repeat(5000))), "ß€😀".repeat(5000));
  assert.throws(() => decode(new Uint8Array([0x61, 0xc0, 0x80])), /byte 1 is wrong/);
});
