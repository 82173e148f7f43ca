//! Stand-ins of the host for tests in plain Node: `import { run, stage, reset } from "tasklane-sdk/testing"`.

import { reset, stage } from "./host/native.ts";
import type { TaskError } from "./errors.ts";
import type { Context, Task } from "./task.ts";
import { decode, encode } from "./text.ts";

export { reset };

/** What a test sets (`config`, `secrets`, `answers`, …), and what the task left (`log`, `progress`, `children`, …), since the last `reset`. */
export const world = () => stage;

/** What an attempt came to. */
export type Outcome =
  | { ok: true; result: unknown; bytes: Uint8Array }
  | { ok: false; retryable: boolean; code: string; message: string; details: unknown; afterMs: number | undefined };

/** The context of a first attempt of three, with a minute left, or of another. */
export function context(other: Partial<Omit<Context, "isLastAttempt">> = {}): Context {
  const usual = { attempt: 1, maxAttempts: 3, module: "test", version: "0.0.0", queue: "default", priority: 5, timeLeftMs: 60_000 };
  const whole = { taskId: "01900000-0000-7000-8000-000000000000", ...usual, ...other };
  return { ...whole, isLastAttempt: whole.attempt >= whole.maxAttempts };
}

/** Runs one attempt as the host does: from the payload's bytes to the result's. Other inputs than bytes are given as JSON. */
export async function run<In, Out>(task: Task<In, Out>, input: unknown, other: Partial<Omit<Context, "isLastAttempt">> = {}): Promise<Outcome> {
  const payload = input instanceof Uint8Array ? input : input === undefined ? new Uint8Array() : encode(JSON.stringify(input));
  try {
    const bytes = await task.run(context(other), payload);
    return { ok: true, bytes, result: lenient(bytes) };
  } catch (error) {
    const { tag, val } = error as TaskError;
    const failure = tag === "retryable" ? val.failure : val;
    const details = failure.details === undefined ? undefined : JSON.parse(failure.details);
    const afterMs = tag === "retryable" ? val.afterMs : undefined;
    return { ok: false, retryable: tag === "retryable", code: failure.code, message: failure.message, details, afterMs };
  }
}

/** JSON if it is some, else text. */
function lenient(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decode(bytes));
  } catch {
    return new TextDecoder().decode(bytes);
  }
}
