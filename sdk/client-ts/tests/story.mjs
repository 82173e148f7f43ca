//! What the client must do, against a live instance: `node story.mjs SERVER FLAKY`, where FLAKY leads to the same server, but loses the first answer and
//! refuses the next request. Run by `tests/tests/clients.rs`.

import assert from "node:assert/strict";
import { TaskFailed, Tasklane, TasklaneError } from "../index.js";

const [server, flaky] = process.argv.slice(2);
const tasklane = new Tasklane({ server });

// Submit, wait, result.
assert.deepEqual(await tasklane.run("echo", { text: "Grüße", list: [1, 2] }), { text: "Grüße", list: [1, 2] });
const accepted = await tasklane.submit("echo", "a", { priority: "high", labels: { story: "ts" } });
const ended = await tasklane.wait(accepted.id);
assert.equal(ended.state, "succeeded");
assert.equal(await tasklane.result(accepted.id), "a");
assert.equal((await tasklane.list({ label: "story:ts" })).tasks[0].id, accepted.id);

// A failure has its task.
const failed = await tasklane.run("echo", new TextEncoder().encode("{")).catch((error) => error);
assert.ok(failed instanceof TaskFailed && failed.task.state === "failed", String(failed));

// The same key is the same task.
const first = await tasklane.submit("echo", 1, { idempotency_key: "ts-1" });
assert.equal((await tasklane.submit("echo", 1, { idempotency_key: "ts-1" })).id, first.id);

// Batches.
const batch = await tasklane.submitBatch([{ module: "echo", payload: 1, name: "a" }, { module: "echo", payload: 2, after: ["a"] }]);
assert.equal((await tasklane.wait(batch.tasks[1].id)).state, "succeeded");

// Refusals have their code and hint, and are not repeated.
const refused = await tasklane.submit("nobody").catch((error) => error);
assert.ok(refused instanceof TasklaneError && refused.code === "module_not_found" && refused.hint && refused.status === 404, String(refused));
const away = await new Tasklane({ server: "http://127.0.0.1:9", tries: 2 }).get("x").catch((error) => error);
assert.equal(away.code, "unreachable");

// Cancel.
const late = await tasklane.submit("echo", 1, { delay: "1h" });
await tasklane.cancel(late.id);
assert.equal((await tasklane.wait(late.id)).state, "cancelled");

// Events, and again behind a cursor.
const controller = new AbortController();
let cursor;
let told;
for await (const event of tasklane.events({ signal: controller.signal })) {
  cursor = event.cursor;
  if (event.event === "hello") told = tasklane.submit("echo", "news");
  else if (event.event === "tasks" && event.data.tasks.some((task) => task.state === "succeeded")) break;
}
await told;
await tasklane.run("echo", "behind the cursor");
for await (const event of tasklane.events({ cursor, signal: controller.signal })) {
  if (event.event === "tasks" && event.data.counts.succeeded > 0) controller.abort();
}

// A lost answer, then a refusal: one task all the same.
const shaky = new Tasklane({ server: flaky, token: "s3cret" });
const once = await shaky.submit("echo", "once", { labels: { once: "ts" } });
assert.equal((await tasklane.list({ label: "once:ts" })).tasks.length, 1);
assert.equal((await shaky.wait(once.id)).state, "succeeded");
console.log("the client does what it should");
