//! From the host's bytes to a handler and back.

import { settle } from "#engine";
import { PermanentError, toTaskError, words } from "./errors.ts";
import type { TaskError } from "./errors.ts";
import { check } from "./schema.ts";
import type { Schema } from "./schema.ts";
import { log } from "./services.ts";
import { readable } from "./stack.ts";
import { decode, encode, parse } from "./text.ts";

/** What a task may know of the attempt that it is. */
export interface Context {
  /** The task's UUID: the same for every attempt, and so a good idempotency key for side effects. */
  readonly taskId: string;
  /** 1 for the first attempt. */
  readonly attempt: number;
  readonly maxAttempts: number;
  /** Name of the module. */
  readonly module: string;
  /** Version of the module. */
  readonly version: string;
  readonly queue: string;
  /** 1 to 10; 10 is the most urgent. */
  readonly priority: number;
  /** Milliseconds that the attempt had when it started. */
  readonly timeLeftMs: number;
  /** Whether no attempt follows. */
  readonly isLastAttempt: boolean;
}

/** What a handler may return: bytes as they are; everything else becomes JSON, nothing at all becomes `null`. */
export type Result = unknown;

/** How the payload is read. */
export interface Options<In> {
  /** `json` (the default) or a schema for what it must be, `text` for UTF-8, `bytes` for the payload as it is. */
  input?: "json" | "text" | "bytes" | Schema<In>;
  /** `json` (the default), or `text`: a returned string is the result as it is, without quotes. */
  output?: "json" | "text";
}

/** A task: what the host calls, and the handler for tests to call. */
export interface Task<In, Out> {
  /** The handler as it was written. */
  readonly handler: (ctx: Context, input: In) => Out | Promise<Out>;
  /** What the module exports. */
  run(ctx: Omit<Context, "isLastAttempt">, payload: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

/**
 * Makes a function the module's task. `PermanentError` and `RetryableError` become what they say; any other exception is retryable,
 * with the code `error` and its stack in the details and in the log.
 */
export function task<In = unknown, Out = unknown>(
  handler: (ctx: Context, input: In) => Out | Promise<Out>,
  options: Options<In> = {},
): Task<In, Out> {
  const attempt = async (ctx: Omit<Context, "isLastAttempt">, payload: Uint8Array): Promise<Uint8Array> => {
    try {
      const input = await read(payload, options.input ?? "json");
      return write(await handler(whole(ctx), input), options.output ?? "json");
    } catch (error) {
      throw told(error);
    }
  };
  return { handler, run: (ctx, payload) => settle(attempt(ctx, payload)) };
}

function whole(ctx: Omit<Context, "isLastAttempt">): Context {
  const { taskId, attempt, maxAttempts, module, version, queue, priority, timeLeftMs } = ctx;
  const isLastAttempt = attempt >= maxAttempts;
  return { taskId, attempt, maxAttempts, module, version, queue, priority, timeLeftMs, isLastAttempt };
}

async function read<In>(payload: Uint8Array, how: NonNullable<Options<In>["input"]>): Promise<In> {
  if (how === "bytes") return payload as In;
  try {
    const document = decode(payload);
    if (how === "text") return document as In;
    // No payload at all is JSON's null, so that a task without input needs none.
    const value = parse(document === "" ? "null" : document);
    return how === "json" ? (value as In) : await check(how, value);
  } catch (error) {
    const why = error instanceof PermanentError ? error.message : `the input: ${(error as Error).message}`;
    throw new PermanentError("bad_input", why);
  }
}

function write(result: unknown, how: "json" | "text"): Uint8Array {
  if (result instanceof Uint8Array) return result;
  if (how === "text" && typeof result === "string") return encode(result);
  let document: string | undefined;
  try {
    document = JSON.stringify(result === undefined ? null : result);
  } catch (error) {
    throw new PermanentError("bad_output", words(error));
  }
  if (document === undefined) throw new PermanentError("bad_output", `the task returned a ${typeof result}, which is no JSON`);
  return encode(document);
}

/** The error for the host; one that nobody foresaw goes to the log with its stack, too. */
function told(error: unknown): TaskError {
  const stack = error instanceof Error ? readable(error.stack ?? "") : undefined;
  const said = toTaskError(error, stack);
  if (said.tag === "retryable" && said.val.failure.code === "error") log.error(words(error), stack ? { stack } : {});
  return said;
}
