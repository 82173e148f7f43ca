//! A host in memory, for tests in Node: what a task says is kept, what it asks for was set by the test (`tasklane-sdk/testing`).

import { HostError, HttpError } from "../errors.ts";
import type { Child, Entry, Field, Host, HttpAnswer, HttpRequest, Level } from "./types.ts";

/** What a test sets, and what a task left. */
export class Stage {
  log: { level: Level; message: string; fields: Field[] }[] = [];
  progress: { fraction: number; message: string }[] = [];
  children: Child[] = [];
  requests: HttpRequest[] = [];
  config = new Map<string, string>();
  secrets = new Map<string, Uint8Array>();
  answers = new Map<string, HttpAnswer>();
  stores = new Map<string, Map<string, Entry>>();
  payload: Uint8Array = new Uint8Array();
  results = new Map<string, Uint8Array>();
  written: Uint8Array | undefined;
  revision = 0;
}

export let stage = new Stage();

/** Forgets everything. */
export function reset(): void {
  stage = new Stage();
}

function store(name: string): Map<string, Entry> {
  const found = stage.stores.get(name) ?? new Map<string, Entry>();
  stage.stores.set(name, found);
  return found;
}

function put(name: string, key: string, value: Uint8Array): string {
  const revision = String(++stage.revision);
  store(name).set(key, { value: value.slice(), revision });
  return revision;
}

export const host: Host = {
  log: (level, message, fields) => void stage.log.push({ level, message, fields }),
  progress: (fraction, message) => void stage.progress.push({ fraction, message }),
  config: (key) => stage.config.get(key),
  secret: (name) => stage.secrets.get(name),
  enqueue: (children) => {
    stage.children.push(...children);
    return children.map((child) => `native-${child.key}`);
  },
  kvGet: (name, key) => store(name).get(key),
  kvSet: (name, key, value) => put(name, key, value),
  kvCompareAndSet: (name, key, expected, value) => {
    const found = store(name).get(key);
    const fits = expected.tag === "absent" ? found === undefined : found?.revision === expected.val;
    if (!fits) return { tag: "conflict", val: found };
    if (value !== undefined) return { tag: "done", val: put(name, key, value) };
    store(name).delete(key);
    return { tag: "done", val: String(++stage.revision) };
  },
  kvIncrement: (name, key, by) => {
    const before = store(name).get(key);
    const sum = (before === undefined ? 0 : Number(new TextDecoder().decode(before.value))) + by;
    if (!Number.isInteger(sum)) throw new HostError("invalid", "the value is not a whole number in decimal digits");
    put(name, key, new TextEncoder().encode(String(sum)));
    return String(sum);
  },
  kvDelete: (name, key) => store(name).delete(key),
  kvListKeys: (name, prefix, after, limit) => {
    const all = [...store(name).keys()].filter((key) => key.startsWith(prefix) && (after === undefined || key > after)).sort();
    const keys = all.slice(0, limit);
    return { keys, next: all.length > limit ? keys.at(-1) : undefined };
  },
  http: (request) => {
    stage.requests.push(request);
    const answer = stage.answers.get(request.url);
    if (answer === undefined) throw new HttpError("HTTP-request-denied", `no answer is set for ${request.url}`);
    return answer;
  },
  now: () => performance.now(),
  sleep: () => {},
  random: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)),
};
