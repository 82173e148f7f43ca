//! Blobs in memory, for tests in Node.

import { HostError } from "../errors.ts";
import { stage } from "./native.ts";

export interface Reference {
  digest: string;
  size: number;
}

export class Blob {
  readonly #bytes: Uint8Array;
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }
  size(): number {
    return this.#bytes.length;
  }
  read(offset: number, length: number): Uint8Array {
    return this.#bytes.slice(offset, offset + length);
  }
}

export class Writer {
  readonly pieces: Uint8Array[] = [];
  write(piece: Uint8Array): void {
    this.pieces.push(piece.slice());
  }
}

export function payload(): Blob {
  return new Blob(stage.payload);
}

export function openResult(of: string): Blob | undefined {
  const found = stage.results.get(of);
  if (found === undefined) throw new HostError("access-denied", `the test has set no result of \`${of}\``);
  return new Blob(found);
}

export function create(): Writer {
  return new Writer();
}

export function finish(writer: Writer): Reference {
  const size = writer.pieces.reduce((sum, piece) => sum + piece.length, 0);
  const whole = new Uint8Array(size);
  let at = 0;
  for (const piece of writer.pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  stage.written = whole;
  return { digest: "sha256:native", size };
}
