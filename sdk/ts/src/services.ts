//! What a task may ask of its host. Each call is answered at once: no promise, no waiting in JavaScript.

import { host } from "#host";
import { HostError } from "./errors.ts";
import type { Entry as HostEntry, Level, Page } from "./host/types.ts";
import { decode, encode, parse } from "./text.ts";

export type { Page };

/** Keys and values beside a message. */
export type Fields = Record<string, unknown>;

function line(level: Level) {
  return (message: string, fields: Fields = {}): void => {
    const list = Object.entries(fields).map(([key, value]) => ({ key, value: typeof value === "string" ? value : (JSON.stringify(value) ?? String(value)) }));
    host.log(level, String(message), list);
  };
}

/** Lines for the task's log. What is over the log limit is counted, not kept; logging never fails a task. */
export const log = { trace: line("trace"), debug: line("debug"), info: line("info"), warn: line("warn"), error: line("error") };

/** Tells how far the task is: `fraction` from 0 to 1. Best effort: the newest in about 500 ms is shown. */
export function progress(fraction: number, message = ""): void {
  host.progress(Number.isFinite(fraction) ? Math.min(Math.max(fraction, 0), 1) : 0, message);
}

/** A setting of the manifest's `[config]`, or `undefined`. */
export function config(key: string): string | undefined {
  return host.config(key);
}

/** A secret that an operator has set, as text. From now on the host masks it in this attempt's log and errors. The manifest must grant it. */
export function secret(name: string): string {
  const found = host.secret(name);
  if (found === undefined) throw new HostError("invalid", `nobody has set the secret \`${name}\`: taskctl secrets set ${name}`);
  return decode(new Uint8Array(found));
}

/** Waits. The wall time of the attempt goes on. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** A task below this one. */
export interface Child {
  /** What this task calls it: the same key is the same child, however often the attempt is repeated. */
  key: string;
  /** `name` or `name@version`. */
  module: string;
  /** Bytes as they are, everything else as JSON. */
  input?: unknown;
  /** Further fields of a submit, such as `{ priority: "high", after: ["part-1"] }`. */
  options?: Record<string, unknown>;
}

/** Enqueues all or none; when it returns, they are committed. Gives their ids in the same order. The manifest must grant it. */
export function enqueue(children: Child[]): string[] {
  const bytes = (input: unknown) => {
    if (input === undefined) return new Uint8Array();
    return input instanceof Uint8Array ? input : encode(JSON.stringify(input) ?? "null");
  };
  return host.enqueue(
    children.map(({ key, module, input, options }) => ({
      key,
      module,
      input: bytes(input),
      options: options === undefined ? "" : JSON.stringify(options),
    })),
  );
}

/** A value with its revision, which is only to be compared. */
export class Entry {
  readonly value: Uint8Array;
  readonly revision: string;
  constructor(entry: HostEntry) {
    this.value = new Uint8Array(entry.value);
    this.revision = entry.revision;
  }

  /** The value as text. */
  text(): string {
    return decode(this.value);
  }

  /** The value as JSON. */
  json(): unknown {
    return parse(this.text());
  }
}

/** What a compare-and-set expects: no such key, or a revision. */
export type Expected = "absent" | { revision: string };

/** What a compare-and-set came to. */
export type Swapped = { done: true; revision: string } | { done: false; found: Entry | undefined };

/** A store of keys and values. Values are bytes or text. */
export class Store {
  constructor(private readonly name: string) {}

  /** The value of a key, if it is there and has not expired. */
  get(key: string): Entry | undefined {
    const found = host.kvGet(this.name, key);
    return found === undefined ? undefined : new Entry(found);
  }

  /** Sets a value and gives its revision. With `ttlMs` it goes by itself after so many milliseconds. */
  set(key: string, value: Uint8Array | string, ttlMs?: number): string {
    return host.kvSet(this.name, key, bytes(value), ttlMs);
  }

  /** Sets a value if the key is as expected; without a value, deletes the key. */
  compareAndSet(key: string, expected: Expected, value?: Uint8Array | string, ttlMs?: number): Swapped {
    const wanted = expected === "absent" ? ({ tag: "absent" } as const) : ({ tag: "revision", val: expected.revision } as const);
    const swapped = host.kvCompareAndSet(this.name, key, wanted, value === undefined ? undefined : bytes(value), ttlMs);
    if (swapped.tag === "done") return { done: true, revision: swapped.val };
    return { done: false, found: swapped.val === undefined ? undefined : new Entry(swapped.val) };
  }

  /** Adds to a whole number and gives the new one; a key that is not there counts as 0. `ttlMs` holds for a new key only. */
  increment(key: string, by = 1, ttlMs?: number): number {
    return Number(host.kvIncrement(this.name, key, by, ttlMs));
  }

  /** Deletes a key; whether it was there. */
  delete(key: string): boolean {
    return host.kvDelete(this.name, key);
  }

  /** At most `limit` keys (1 to 1,000) that begin with `prefix`, those after `after` if given. */
  keys(prefix = "", after?: string, limit = 1000): Page {
    return host.kvListKeys(this.name, prefix, after, limit);
  }
}

function bytes(value: Uint8Array | string): Uint8Array {
  return typeof value === "string" ? encode(value) : value;
}

/** Keys and values that outlive the task. The manifest must grant each store: `[permissions] kv = ["own", "shared:carts"]`. */
export const kv = {
  /** The module's own store: of all its versions, and of nobody else. */
  own: () => new Store("own"),
  /** A store that several modules use. */
  shared: (name: string) => new Store(`shared:${name}`),
};
