//! The interfaces of `wit/` as the SDK uses them; engines put the real ones in their place.

declare module "tasklane:task/config@0.1.0" {
  export function get(key: string): string | null | undefined;
}
declare module "tasklane:task/kv@0.1.0" {
  type Entry = { value: Uint8Array; revision: string };
  type Maybe<T> = T | null | undefined;
  export function get(store: string, key: string): Maybe<Entry>;
  export function set(store: string, key: string, value: Uint8Array, ttlMs: number | undefined): string;
  export function compareAndSet(store: string, key: string, expected: unknown, value: Uint8Array | undefined, ttlMs: number | undefined): unknown;
  export function increment(store: string, key: string, by: number, ttlMs: number | undefined): string;
  function remove(store: string, key: string): boolean;
  export { remove as delete };
  export function listKeys(store: string, prefix: string, after: string | undefined, limit: number): { keys: string[]; next: Maybe<string> };
}
declare module "tasklane:task/log@0.1.0" {
  export function write(level: string, message: string, fields: { key: string; value: string }[]): void;
}
declare module "tasklane:task/progress@0.1.0" {
  export function report(fraction: number, message: string): void;
}
declare module "tasklane:task/secrets@0.1.0" {
  export function get(name: string): { reveal(): Uint8Array } | null | undefined;
}
declare module "tasklane:task/tasks@0.1.0" {
  export function enqueue(children: { key: string; module: string; input: Uint8Array; options: string }[]): string[];
}
declare module "tasklane:task/blobs@0.1.0" {
  export interface Reference {
    digest: string;
    size: number;
  }
  export class Blob {
    size(): number;
    read(offset: number, length: number): Uint8Array;
  }
  export class Writer {
    write(bytes: Uint8Array): void;
    static finish(writer: Writer): Reference;
  }
  export function payload(): Blob;
  export function openResult(of: string): Blob | null | undefined;
  export function create(): Writer;
}
declare module "wasi:clocks/monotonic-clock@0.2.10" {
  export function now(): number | bigint;
  export function subscribeDuration(nanoseconds: number | bigint): { block(): void };
}
declare module "wasi:random/random@0.2.10" {
  export function getRandomBytes(length: number | bigint): Uint8Array;
}
declare module "wasi:http/types@0.2.10" {
  type Disposable = { [Symbol.dispose]?(): void };
  export class Fields {
    static fromList(entries: [string, Uint8Array][]): Fields;
  }
  export class OutgoingBody {
    write(): { blockingWriteAndFlush(bytes: Uint8Array): void } & Disposable;
    static finish(body: OutgoingBody, trailers: undefined): void;
  }
  export class OutgoingRequest {
    constructor(headers: Fields);
    body(): OutgoingBody;
    setMethod(method: unknown): void;
    setScheme(scheme: unknown): void;
    setAuthority(authority: string): void;
    setPathWithQuery(path: string): void;
  }
  export class IncomingBody {
    static finish(body: unknown): unknown;
  }
}
declare module "wasi:http/outgoing-handler@0.2.10" {
  export function handle(request: unknown, options: undefined): { get(): unknown; subscribe(): { block(): void; [Symbol.dispose]?(): void } };
}
