//! One request and its whole answer over `wasi:http`.

import { handle } from "wasi:http/outgoing-handler@0.2.10";
import { Fields, IncomingBody, OutgoingBody, OutgoingRequest } from "wasi:http/types@0.2.10";
import { isBig } from "#engine";
import { HttpError } from "../errors.ts";
import { encode } from "../text.ts";
import { payload } from "./refusal.ts";
import type { HttpAnswer, HttpRequest } from "./types.ts";

/** Bytes that are written, and read, at once. */
const WRITE_BYTES = 4096;
const READ_BYTES = 64 * 1024;

export function http(request: HttpRequest): HttpAnswer {
  const outgoing = prepared(request);
  const body = outgoing.body();
  const answered = coded(() => handle(outgoing, undefined));
  send(body, request.body);
  for (;;) {
    // Nothing yet, then once `ok` of an answer or of an error.
    const got = answered.get() as { tag: "ok" | "err"; val: unknown } | null | undefined;
    if (got === null || got === undefined) {
      const ready = answered.subscribe();
      ready.block();
      ready[Symbol.dispose]?.();
      continue;
    }
    const inner = got.val as { tag: "ok" | "err"; val: unknown };
    if (got.tag === "err") throw new HttpError("internal-error", "the answer was taken");
    if (inner.tag === "err") throw refused(inner.val);
    return received(inner.val);
  }
}

function prepared(request: HttpRequest) {
  const match = /^([a-zA-Z][a-zA-Z0-9+.-]*):\/\/([^/?#]+)([^#]*)/.exec(request.url);
  if (!match) throw new HttpError("HTTP-request-URI-invalid", `\`${request.url}\` is no absolute URL`);
  const [, scheme = "", authority = "", rest = ""] = match;
  const headers = [...request.headers];
  if (request.body.length > 0) headers.push(["content-length", encode(String(request.body.length))]);
  let fields;
  try {
    fields = Fields.fromList(headers);
  } catch (error) {
    throw new HttpError("header-error", `a header cannot be sent: ${payload(error)?.tag ?? String(error)}`);
  }
  const outgoing = new OutgoingRequest(fields);
  const invalid = (what: string) => new HttpError("HTTP-request-URI-invalid", `its ${what} is none`);
  step(() => outgoing.setMethod(method(request.method)), invalid("method"));
  step(() => outgoing.setScheme(schemed(scheme.toLowerCase())), invalid("scheme"));
  step(() => outgoing.setAuthority(authority), invalid("host"));
  step(() => outgoing.setPathWithQuery(rest.startsWith("/") ? rest : `/${rest}`), invalid("path"));
  return outgoing;
}

function step(call: () => unknown, otherwise: HttpError): void {
  try {
    call();
  } catch {
    throw otherwise;
  }
}

function method(name: string) {
  const known = ["get", "head", "post", "put", "delete", "connect", "options", "trace", "patch"];
  const lower = name.toLowerCase();
  return known.includes(lower) ? { tag: lower } : { tag: "other", val: name };
}

function schemed(name: string) {
  return name === "http" ? { tag: "HTTP" } : name === "https" ? { tag: "HTTPS" } : { tag: "other", val: name };
}

/** A server may answer before it has read everything, or the host refuse: the answer then says why. */
function send(body: ReturnType<OutgoingRequest["body"]>, bytes: Uint8Array): void {
  const stream = body.write();
  try {
    for (let at = 0; at < bytes.length; at += WRITE_BYTES) stream.blockingWriteAndFlush(bytes.slice(at, at + WRITE_BYTES));
  } catch {
    return;
  } finally {
    stream[Symbol.dispose]?.();
  }
  coded(() => OutgoingBody.finish(body, undefined));
}

// biome-ignore lint: resources of the host have no types here.
function received(answer: any): HttpAnswer {
  const status: number = answer.status();
  const headers = answer.headers().entries() as [string, Uint8Array][];
  const incoming = answer.consume();
  const stream = incoming.stream();
  const body = read(stream);
  stream[Symbol.dispose]?.();
  IncomingBody.finish(incoming);
  return { status, headers: headers.map(([name, value]) => [name.toLowerCase(), new Uint8Array(value)]), body };
}

function read(stream: { blockingRead(length: number | bigint): Uint8Array }): Uint8Array {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    try {
      const piece = new Uint8Array(stream.blockingRead(isBig ? BigInt(READ_BYTES) : READ_BYTES));
      pieces.push(piece);
      size += piece.length;
    } catch (error) {
      const ended = payload(error) as { tag: string; val?: { toDebugString?(): string } } | undefined;
      if (ended?.tag === "closed") break;
      const message = ended?.val?.toDebugString?.() ?? String(error);
      // Hosts tell the body's errors only in words.
      const isSize = message.includes("BodySize") || message.includes("body size");
      throw new HttpError(isSize ? "HTTP-response-body-size" : "HTTP-response-incomplete", message);
    }
  }
  const body = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    body.set(piece, at);
    at += piece.length;
  }
  return body;
}

function coded<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw refused(payload(error) ?? error);
  }
}

function refused(error: unknown): HttpError {
  const { tag, val } = error as { tag?: string; val?: unknown };
  if (tag === undefined) return new HttpError("internal-error", String(error));
  return new HttpError(tag, val === undefined || val === null ? "the host made no such request" : JSON.stringify(val));
}
