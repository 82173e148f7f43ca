//! What a host function throws, as a `HostError`.

import { HostError } from "../errors.ts";

/** Calls the host. */
export function asked<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    const refusal = payload(error);
    if (refusal === undefined) throw error;
    throw new HostError(refusal.tag as HostError["code"], refusal.val);
  }
}

/** The value that a refused call gives: one engine throws it as it is, the other within an error. */
export function payload(error: unknown): { tag: string; val: string } | undefined {
  const inner = (error as { payload?: unknown })?.payload ?? error;
  const isRefusal = typeof inner === "object" && inner !== null && typeof (inner as { tag?: unknown }).tag === "string";
  return isRefusal ? (inner as { tag: string; val: string }) : undefined;
}
