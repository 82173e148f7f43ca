//! Bytes, UTF-8 and JSON. QuickJS has no `TextDecoder`, so UTF-8 is done here where there is none; both say which byte is wrong.

import { PermanentError, words } from "./errors.ts";

/** Characters that are made into text in one call: more would overflow the engine's stack. */
const CHUNK_CHARACTERS = 4096;

/** Deepest list or object in JSON that is read: each level takes stack, and a full stack ends the attempt without words. */
const NESTING_MAX = 200;

/** The payload as text; a permanent `bad_utf8` if it is none. */
export function text(payload: Uint8Array): string {
  try {
    return decode(payload);
  } catch (error) {
    throw new PermanentError("bad_utf8", `the payload is no UTF-8 text: ${(error as Error).message}`);
  }
}

/** The payload as JSON; a permanent `bad_json` if it is none. */
export function json(payload: Uint8Array): unknown {
  try {
    return parse(text(payload));
  } catch (error) {
    if (error instanceof PermanentError) throw error;
    throw new PermanentError("bad_json", `the payload is no JSON: ${(error as Error).message}`);
  }
}

/** JSON of bounded depth. */
export function parse(document: string): unknown {
  if (isTooDeep(document)) throw new PermanentError("bad_json", `the payload is nested deeper than ${NESTING_MAX} levels`);
  try {
    return JSON.parse(document);
  } catch (error) {
    throw new Error(words(error));
  }
}

/** Counts brackets outside of strings. */
function isTooDeep(document: string): boolean {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < document.length; at++) {
    const unit = document.charCodeAt(at);
    if (inString) {
      if (unit === 0x5c) at++;
      else if (unit === 0x22) inString = false;
    } else if (unit === 0x22) inString = true;
    else if (unit === 0x5b || unit === 0x7b) {
      if (++depth > NESTING_MAX) return true;
    } else if (unit === 0x5d || unit === 0x7d) depth--;
  }
  return false;
}

/** UTF-8 of a text. */
export function encode(text: string): Uint8Array {
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

/** The text of UTF-8; an `Error` that names the first wrong byte. */
export function decode(bytes: Uint8Array): string {
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
    throw new Error(`byte ${at} is wrong`);
  }
  return [code, size];
}
