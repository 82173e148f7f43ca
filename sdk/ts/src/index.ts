//! To write tasks in TypeScript or JavaScript: `export default task(async (ctx, input: In): Promise<Out> => …)`.
//!
//! Bundled into modules by `tasklane build` (`bin/tasklane.mjs`), on either engine; in plain Node it runs with stand-ins for the host
//! (`tasklane-sdk/testing`). Guarantees: whatever a handler throws becomes an error of the task with a code and a message, never a trap.

export { task } from "./task.ts";
export type { Context, Options, Result, Task } from "./task.ts";
export { HostError, HttpError, Permanent, PermanentError, Retryable, RetryableError, words } from "./errors.ts";
export type { Schema } from "./schema.ts";
export { json, text } from "./text.ts";
export { config, enqueue, kv, log, progress, secret, sleep } from "./services.ts";
export type { Child, Entry, Expected, Fields, Page, Store, Swapped } from "./services.ts";
export { fetch } from "./fetch.ts";
export type { Answer, AnswerHeaders, RequestInit } from "./fetch.ts";
