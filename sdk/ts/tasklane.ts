//! To write tasks in TypeScript or JavaScript: `export const handler = task((input, ctx) => …)`.
//!
//! Bundled into modules that `jco componentize` builds, on either engine (QuickJS has no `TextDecoder`, so that UTF-8 is done here).
//! Guarantees: whatever a handler throws becomes an error of the task with a code and a message; without this it would be a trap
//! without words. Does not check a payload's shape: that is the handler's.

import { report } from "tasklane:task/progress@0.1.0";
import { write } from "tasklane:task/log@0.1.0";
import { get } from "tasklane:task/config@0.1.0";
import type { Context, Failure, TaskError } from "tasklane:task/types@0.1.0";
import type { Level } from "tasklane:task/log@0.1.0";

export type { Context, Level };

/** What a handler may return: bytes as they are, text as UTF-8, everything else as JSON. */
export type Result = Uint8Array | string | number | boolean | null | object;

/** Characters that are made into text in one call: more would overflow the engine's stack. */
const CHUNK_CHARACTERS = 4096;

/** Deepest list or object in JSON that `json` reads: each level takes stack, and a full stack ends the attempt without words. */
const NESTING_MAX = 200;

/** An error that no other attempt mends. */
export class Permanent extends Error {
  /** `code` is short and stable, for programs; `message` is for people; `details` becomes JSON. */
  constructor(readonly code: string, message: string, readonly details?: unknown) {
    super(message);
  }
}

/** An error that may pass by itself. */
export class Retryable extends Error {
  /** `afterMs`: not before this many milliseconds; the retry policy may wait longer. */
  constructor(readonly code: string, message: string, readonly afterMs?: number, readonly details?: unknown) {
    super(message);
  }
}

/**
 * Makes a function the module's handler. `Permanent` and `Retryable` become what they say; any other exception is retryable,
 * with the code `exception` and its stack in the details.
 */
export function task(work: (input: Uint8Array, ctx: Context) => Result): {
  run(ctx: Context, input: Uint8Array): Uint8Array;
} {
  return {
    run(ctx, input) {
      try {
        return toBytes(work(input, ctx));
      } catch (error) {
        throw toTaskError(error);
      }
    },
  };
}

/** The same for a function that waits for promises, such as those of streams: on StarlingMonkey only. */
export function taskAsync(work: (input: Uint8Array, ctx: Context) => Promise<Result>): {
  run(ctx: Context, input: Uint8Array): Promise<Uint8Array>;
} {
  return {
    async run(ctx, input) {
      try {
        return toBytes(await work(input, ctx));
      } catch (error) {
        throw toTaskError(error);
      }
    },
  };
}

/** The payload as text; a permanent `bad_utf8` if it is none. */
export function text(input: Uint8Array): string {
  return decode(input);
}

/** The payload as JSON; a permanent `bad_json` if it is none. */
export function json(input: Uint8Array): unknown {
  if (isTooDeep(input)) throw new Permanent("bad_json", `the payload is nested deeper than ${NESTING_MAX} levels`);
  const document = decode(input);
  try {
    return JSON.parse(document);
  } catch (error) {
    throw new Permanent("bad_json", `the payload is no JSON: ${words(error)}`);
  }
}

/** Counts brackets outside of strings; in UTF-8 no other character has their bytes. */
function isTooDeep(input: Uint8Array): boolean {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < input.length; at++) {
    const byte = input[at];
    if (inString) {
      if (byte === 0x5c) at++;
      else if (byte === 0x22) inString = false;
    } else if (byte === 0x22) inString = true;
    else if (byte === 0x5b || byte === 0x7b) {
      if (++depth > NESTING_MAX) return true;
    } else if (byte === 0x5d || byte === 0x7d) depth--;
  }
  return false;
}

/** Adds a line to the task's log. What the host does not take is no reason to fail. */
export function log(level: Level, message: string, fields: Record<string, unknown> = {}): void {
  const list = Object.entries(fields).map(([key, value]) => ({ key, value: String(value) }));
  attempt(() => write(level, message, list));
}

/** Tells how far the task is: `fraction` is from 0 to 1. */
export function progress(fraction: number, message = ""): void {
  attempt(() => report(fraction, message));
}

/** A setting of the manifest's `[config]`, or `undefined`. */
export function config(key: string): string | undefined {
  return attempt(() => get(key)) ?? undefined;
}

function attempt<T>(call: () => T): T | undefined {
  try {
    return call();
  } catch {
    return undefined;
  }
}

function toBytes(result: Result): Uint8Array {
  if (result instanceof Uint8Array) return result;
  if (typeof result === "string") return encode(result);
  const document = JSON.stringify(result);
  if (document === undefined) throw new Permanent("bad_result", `the handler returned ${typeof result}, which is no JSON`);
  return encode(document);
}

function toTaskError(error: unknown): TaskError {
  if (error instanceof Permanent) return { tag: "permanent", val: failure(error.code, error.message, error.details) };
  if (error instanceof Retryable) {
    const reason = failure(error.code, error.message, error.details);
    return { tag: "retryable", val: { failure: reason, afterMs: error.afterMs } };
  }
  const stack = error instanceof Error ? error.stack : undefined;
  log("error", words(error), { stack });
  return { tag: "retryable", val: { failure: failure("exception", words(error), { stack }), afterMs: undefined } };
}

function failure(code: string, message: string, details: unknown): Failure {
  return { code, message, details: details === undefined ? undefined : JSON.stringify(details) };
}

/** An exception in words. */
export function words(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

function encode(text: string): Uint8Array {
  const Native = (globalThis as { TextEncoder?: new () => { encode(text: string): Uint8Array } }).TextEncoder;
  if (Native) return new Native().encode(text);
  const bytes = new Uint8Array(text.length * 3);
  let end = 0;
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    // Half of a pair stands for no character: U+FFFD, as TextEncoder has it.
    end = put(bytes, end, code >= 0xd800 && code <= 0xdfff ? 0xfffd : code);
  }
  return bytes.slice(0, end);
}

function put(bytes: Uint8Array, at: number, code: number): number {
  const rest = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  const lead = [0, 0xc0, 0xe0, 0xf0][rest] ?? 0;
  bytes[at] = lead | (code >> (6 * rest));
  for (let left = rest - 1; left >= 0; left--) bytes[at + rest - left] = 0x80 | ((code >> (6 * left)) & 0x3f);
  return at + rest + 1;
}

function decode(bytes: Uint8Array): string {
  const parts: string[] = [];
  let codes: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    const [code, size] = character(bytes, at);
    codes.push(code);
    at += size;
    if (codes.length === CHUNK_CHARACTERS) {
      parts.push(String.fromCodePoint(...codes));
      codes = [];
    }
  }
  return parts.join("") + String.fromCodePoint(...codes);
}

/** The character that begins at a byte, and its length in bytes. */
function character(bytes: Uint8Array, at: number): [code: number, size: number] {
  const lead = bytes[at] ?? 0;
  if (lead < 0x80) return [lead, 1];
  const size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  let code = lead & (0x7f >> size);
  let good = lead >= 0xc2 && lead < 0xf5;
  for (let next = at + 1; next < at + size; next++) {
    const byte = bytes[next] ?? 0;
    good &&= (byte & 0xc0) === 0x80;
    code = (code << 6) | (byte & 0x3f);
  }
  const least = [0, 0, 0x80, 0x800, 0x10000][size] ?? 0;
  if (!good || code < least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
    throw new Permanent("bad_utf8", `the payload is no UTF-8 text: byte ${at} is wrong`);
  }
  return [code, size];
}
