//! What a host offers, in the SDK's words: `guest.ts` has it from Tasklane, `native.ts` makes it up for tests in Node.

export type Level = "trace" | "debug" | "info" | "warn" | "error";
export interface Field {
  key: string;
  value: string;
}
export interface Child {
  key: string;
  module: string;
  input: Uint8Array;
  options: string;
}
export interface Entry {
  value: Uint8Array;
  revision: string;
}
export type Expected = { tag: "absent" } | { tag: "revision"; val: string };
export type Swapped = { tag: "done"; val: string } | { tag: "conflict"; val: Entry | undefined };
export interface Page {
  keys: string[];
  next: string | undefined;
}
export interface HttpRequest {
  method: string;
  url: string;
  headers: [string, Uint8Array][];
  body: Uint8Array;
}
export interface HttpAnswer {
  status: number;
  headers: [string, Uint8Array][];
  body: Uint8Array;
}

/** Every function but `log` and `progress` throws a `HostError` where the host refuses, `http` an `HttpError`. */
export interface Host {
  log(level: Level, message: string, fields: Field[]): void;
  progress(fraction: number, message: string): void;
  config(key: string): string | undefined;
  secret(name: string): Uint8Array | undefined;
  enqueue(children: Child[]): string[];
  kvGet(store: string, key: string): Entry | undefined;
  kvSet(store: string, key: string, value: Uint8Array, ttlMs: number | undefined): string;
  kvCompareAndSet(store: string, key: string, expected: Expected, value: Uint8Array | undefined, ttlMs: number | undefined): Swapped;
  kvIncrement(store: string, key: string, by: number, ttlMs: number | undefined): string;
  kvDelete(store: string, key: string): boolean;
  kvListKeys(store: string, prefix: string, after: string | undefined, limit: number): Page;
  http(request: HttpRequest): HttpAnswer;
  /** Milliseconds of a clock that only goes on. */
  now(): number;
  /** Waits, in milliseconds. */
  sleep(ms: number): void;
  random(bytes: number): Uint8Array;
}
