//! The host from inside of a module: the interfaces of `wit/`, by the names that the bundler leaves as they are.

import { get as configGet } from "tasklane:task/config@0.1.0";
import { compareAndSet, delete as kvDelete, get as kvGet, increment, listKeys, set as kvSet } from "tasklane:task/kv@0.1.0";
import { write } from "tasklane:task/log@0.1.0";
import { report } from "tasklane:task/progress@0.1.0";
import { get as secretGet } from "tasklane:task/secrets@0.1.0";
import { enqueue } from "tasklane:task/tasks@0.1.0";
import { now, subscribeDuration } from "wasi:clocks/monotonic-clock@0.2.10";
import { getRandomBytes } from "wasi:random/random@0.2.10";
import { isBig } from "#engine";
import { http } from "./guest_http.ts";
import { asked } from "./refusal.ts";
import type { Entry, Host, Swapped } from "./types.ts";

/** A number of 64 bits, as the engine wants it. */
const big = (value: number) => (isBig ? BigInt(Math.round(value)) : Math.round(value));

/** One engine says `null`, the other `undefined`. */
const maybe = <T>(value: T | null | undefined): T | undefined => value ?? undefined;

export const host: Host = {
  // What the host does not take is no reason to fail.
  log: (level, message, fields) => quietly(() => write(level, message, fields)),
  progress: (fraction, message) => quietly(() => report(fraction, message)),
  config: (key) => maybe(asked(() => configGet(key))),
  secret: (name) => {
    const found = maybe(asked(() => secretGet(name)));
    return found === undefined ? undefined : (asked(() => found.reveal()) as Uint8Array);
  },
  enqueue: (children) => asked(() => enqueue(children)),
  kvGet: (store, key) => maybe(asked(() => kvGet(store, key))) as Entry | undefined,
  kvSet: (store, key, value, ttlMs) => asked(() => kvSet(store, key, value, ttlMs)),
  kvCompareAndSet: (store, key, expected, value, ttlMs) => {
    const swapped = asked(() => compareAndSet(store, key, expected, value, ttlMs)) as Swapped;
    return swapped.tag === "done" ? swapped : { tag: "conflict", val: maybe(swapped.val) };
  },
  kvIncrement: (store, key, by, ttlMs) => asked(() => increment(store, key, by, ttlMs)),
  kvDelete: (store, key) => asked(() => kvDelete(store, key)),
  kvListKeys: (store, prefix, after, limit) => {
    const page = asked(() => listKeys(store, prefix, after, limit));
    return { keys: page.keys, next: maybe(page.next) };
  },
  http,
  now: () => Number(now()) / 1e6,
  sleep: (ms) => {
    if (ms > 0) subscribeDuration(big(ms * 1e6)).block();
  },
  random: (bytes) => getRandomBytes(big(bytes)) as Uint8Array,
};

function quietly(call: () => unknown): void {
  try {
    call();
  } catch {
    // See above.
  }
}
