//! Outbound HTTP in the shape of `fetch`: one request, one whole answer. The manifest must ask for it under `[permissions] http`.
//!
//! Redirects are not followed: they are answers. Without an answer it rejects with an `HttpError`, whose `code` is the name in `wasi:http`.

import { host } from "#host";
import { decode, encode, parse } from "./text.ts";

/** The parts of `fetch`'s options that there are. */
export interface RequestInit {
  method?: string;
  headers?: Record<string, string> | [string, string][];
  body?: Uint8Array | string;
}

/** Headers of an answer: names in lower case. */
export class AnswerHeaders {
  readonly #entries: [string, string][];
  constructor(entries: [string, string][]) {
    this.#entries = entries;
  }
  get(name: string): string | null {
    const found = this.#entries.filter(([known]) => known === name.toLowerCase()).map(([, value]) => value);
    return found.length === 0 ? null : found.join(", ");
  }
  has(name: string): boolean {
    return this.get(name) !== null;
  }
  entries(): IterableIterator<[string, string]> {
    return this.#entries[Symbol.iterator]();
  }
  [Symbol.iterator](): IterableIterator<[string, string]> {
    return this.entries();
  }
}

/** An answer, whatever its status. Its body has been read whole. */
export class Answer {
  readonly ok: boolean;
  constructor(
    readonly url: string,
    readonly status: number,
    readonly headers: AnswerHeaders,
    private readonly body: Uint8Array,
  ) {
    this.ok = status >= 200 && status < 300;
  }
  async bytes(): Promise<Uint8Array> {
    return this.body;
  }
  async arrayBuffer(): Promise<ArrayBuffer> {
    return this.body.slice().buffer as ArrayBuffer;
  }
  async text(): Promise<string> {
    return decode(this.body);
  }
  async json(): Promise<unknown> {
    return parse(decode(this.body));
  }
}

/** Sends a request and waits for the whole answer. */
export async function fetch(url: string | { toString(): string }, init: RequestInit = {}): Promise<Answer> {
  const pairs = Array.isArray(init.headers) ? init.headers : Object.entries(init.headers ?? {});
  const headers = pairs.map(([name, value]): [string, Uint8Array] => [name.toLowerCase(), encode(String(value))]);
  const body = typeof init.body === "string" ? encode(init.body) : (init.body ?? new Uint8Array());
  const address = url.toString();
  const answer = host.http({ method: init.method ?? "GET", url: address, headers, body });
  const told = answer.headers.map(([name, value]): [string, string] => [name, latin(value)]);
  return new Answer(address, answer.status, new AnswerHeaders(told), answer.body);
}

/** A header's bytes, as browsers show them. */
function latin(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}
