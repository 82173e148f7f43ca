//! What QuickJS lacks, before anything else of a module is loaded: promises that are run by `settle`, timers, `TextEncoder`, `TextDecoder`,
//! `console`, `fetch`, `crypto`.

import "./timers.ts";
// @ts-expect-error: the package has no types.
import RunPromise from "promise-polyfill";
import { host } from "#host";
import { fetch } from "../fetch.ts";
import { log } from "../services.ts";
import { decode, encode } from "../text.ts";
import { soon } from "./quickjs.ts";

const globals = globalThis as unknown as Record<string, unknown>;

RunPromise._immediateFn = soon;
RunPromise._unhandledRejectionFn = () => {};
globals.Promise = RunPromise;
globals.queueMicrotask = soon;
globals.fetch = fetch;

globals.TextEncoder ??= class {
  readonly encoding = "utf-8";
  encode(text = ""): Uint8Array {
    return encode(String(text));
  }
};

globals.TextDecoder ??= class {
  readonly encoding = "utf-8";
  constructor(label = "utf-8") {
    if (!/^utf-?8$/i.test(label)) throw new RangeError(`only UTF-8 can be decoded, not ${label}`);
  }
  decode(bytes: Uint8Array | ArrayBuffer = new Uint8Array()): string {
    return decode(bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes));
  }
};

const shown = (part: unknown) => (typeof part === "string" ? part : part instanceof Error ? `${part.name}: ${part.message}` : (JSON.stringify(part) ?? String(part)));
const said = (level: "debug" | "info" | "warn" | "error") => (...parts: unknown[]) => log[level](parts.map(shown).join(" "));
globals.console = { debug: said("debug"), log: said("info"), info: said("info"), warn: said("warn"), error: said("error"), trace: said("debug") };

const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
globals.crypto ??= {
  getRandomValues<T extends ArrayBufferView>(view: T): T {
    const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    bytes.set(host.random(bytes.length));
    return view;
  },
  randomUUID(): string {
    const bytes = new Uint8Array(host.random(16));
    bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
    bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
    return hex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  },
};
