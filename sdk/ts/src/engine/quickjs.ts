//! QuickJS in a module has no loop that runs promises: `run` must return its result. So they are run here.
//!
//! The bundler makes `async` functions into generators (`bin/tasklane.mjs`), the prelude puts this queue under `Promise`, and `settle` works through
//! it. Host calls answer at once, so what a promise waits for is another promise, or a timer. Guarantees: a promise that nothing can settle any more
//! is an error, not a hang.

import { host } from "#host";
import { PermanentError, toTaskError } from "../errors.ts";

/** 64 bits are a number. */
export const isBig = false;

interface Timer {
  id: number;
  due: number;
  every: number | undefined;
  call: () => void;
}

const jobs: (() => void)[] = [];
const timers: Timer[] = [];
let newest = 0;

/** Puts something at the end of what is to be done. */
export function soon(job: () => void): void {
  jobs.push(job);
}

/** Calls back once so many milliseconds have gone. */
export function timer(call: () => void, ms: number, isRepeated: boolean): number {
  const wait = Math.max(Number(ms) || 0, 0);
  timers.push({ id: ++newest, due: host.now() + wait, every: isRepeated ? Math.max(wait, 1) : undefined, call });
  return newest;
}

/** Forgets a timer. */
export function stop(id: number | undefined): void {
  const at = timers.findIndex((timer) => timer.id === id);
  if (at >= 0) timers.splice(at, 1);
}

/** Waits for a promise, doing what there is to do. */
export function settle<T>(promise: Promise<T>): T {
  let end: { value: T } | { error: unknown } | undefined;
  promise.then(
    (value) => (end = { value }),
    (error) => (end = { error }),
  );
  while (end === undefined) {
    if (!turn()) throw toTaskError(new PermanentError("never_settles", "the task waits for a promise that nothing can settle any more"));
  }
  if ("error" in end) throw (end as { error: unknown }).error;
  return (end as { value: T }).value;
}

/** The next job, or the next timer; whether there was one. */
function turn(): boolean {
  const job = jobs.shift();
  if (job !== undefined) {
    job();
    return true;
  }
  const next = timers.reduce<Timer | undefined>((first, one) => (first === undefined || one.due < first.due ? one : first), undefined);
  if (next === undefined) return false;
  host.sleep(next.due - host.now());
  if (next.every === undefined) stop(next.id);
  else next.due += next.every;
  next.call();
  return true;
}
