//! Large payloads and results piece by piece: `payload()`, `openResult(of)`, `create()`. Imported as `tasklane-sdk/blobs`.
//!
//! Guarantees: pieces are as large as the host takes; a refusal is a `HostError`.

import { create as hostCreate, finish, openResult as hostOpenResult, payload as hostPayload } from "#blobs";
import type { Blob as HostBlob, Reference, Writer as HostWriter } from "#blobs";
import { asked } from "./host/refusal.ts";

export type { Reference };

/** Bytes of one piece. */
const PIECE_BYTES = 256 * 1024;

/** Bytes that can be read at any place. */
export class Blob {
  constructor(private readonly inner: HostBlob) {}

  /** How many bytes there are. */
  size(): number {
    return this.inner.size();
  }

  /** At most `length` bytes from `offset` on; fewer only at the end or where `length` is over 1 MiB. */
  read(offset: number, length: number): Uint8Array {
    return asked(() => this.inner.read(offset, length));
  }

  /** All of it, a piece at a time. */
  *pieces(): Generator<Uint8Array> {
    for (let at = 0; at < this.size(); at += PIECE_BYTES) yield this.read(at, PIECE_BYTES);
  }
}

/** A result in the making; without `finish`, it leaves nothing. */
export class Writer {
  constructor(private readonly inner: HostWriter) {}

  /** Adds bytes, however many. */
  write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
      const piece = bytes.subarray(at, at + PIECE_BYTES);
      asked(() => this.inner.write(piece));
    }
  }

  /** Makes what was written the task's result, in place of what its handler returns. */
  finish(): Reference {
    return asked(() => finish(this.inner));
  }
}

/** The task's own payload. With `payload = "blob"` in the manifest, the handler's input is empty. */
export function payload(): Blob {
  return new Blob(asked(() => hostPayload()));
}

/** The result of a task that this one waited for, by name or id; `undefined` if it ended without one. Needs `blobs = ["read"]`. */
export function openResult(of: string): Blob | undefined {
  const found = asked(() => hostOpenResult(of));
  return found === undefined || found === null ? undefined : new Blob(found);
}

/** Begins the task's result. Needs `blobs = ["write"]`. */
export function create(): Writer {
  return new Writer(asked(() => hostCreate()));
}
