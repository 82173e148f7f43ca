//! Engines that wait for promises by themselves: StarlingMonkey, and Node in tests.

/** 64 bits are a `BigInt`. */
export const isBig = true;

/** The promise as it is. */
export function settle<T>(promise: Promise<T>): T | Promise<T> {
  return promise;
}
