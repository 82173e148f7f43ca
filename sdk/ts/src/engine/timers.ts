//! Timers for QuickJS. A file of its own, since the promises of the prelude look for `setTimeout` when they are loaded.

import { stop, timer } from "./quickjs.ts";

const globals = globalThis as unknown as Record<string, unknown>;
globals.setTimeout = (call: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) => timer(() => call(...args), ms, false);
globals.setInterval = (call: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) => timer(() => call(...args), ms, true);
globals.clearTimeout = stop;
globals.clearInterval = stop;
