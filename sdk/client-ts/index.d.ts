//! Types of `index.js`, by those of the REST API (`schema.d.ts`, made from `docs/openapi.json`).

import type { components } from "./schema.d.ts";

type Schemas = components["schemas"];
type Submit = Schemas["SubmitRequest"];
type View = Schemas["TaskView"];

/** Most urgent is 10. */
export type Priority = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | "high" | "medium" | "low";

/** What one attempt may use; what is left out is the module's, or the cluster's. */
export interface Limits {
  fuel?: number;
  timeout_ms?: number;
  memory_bytes?: number;
  output_bytes?: number;
  log_bytes?: number;
  [further: string]: unknown;
}

/** What the last attempt came to; `kind` is such as `ok`, `task_error`, `timeout`. */
export interface Outcome {
  kind: string;
  code?: string;
  message?: string;
  details?: string;
  [further: string]: unknown;
}

/** How far a running task is. */
export interface Progress {
  fraction: number;
  message: string;
}

// The document says of these fields only that they are objects.
export type TaskView = Omit<View, "outcome" | "progress" | "limits" | "usage" | "retry"> & {
  outcome?: Outcome | null;
  progress?: Progress | null;
  limits: Limits;
  usage?: Record<string, number> | null;
  retry: Record<string, unknown>;
};
export type TaskAccepted = Schemas["TaskAccepted"];
export type BatchAccepted = Schemas["BatchAccepted"];
export type TaskList = Omit<Schemas["TaskList"], "tasks"> & { tasks: TaskView[] };
export type FeedChange = Schemas["FeedChange"];

/** JSON, or bytes as they are. */
export type Payload = Uint8Array | object | string | number | boolean | null | undefined;

/** Fields of a submit beside module and payload; `idempotency_key` is made up if none is given. */
export type SubmitOptions = Partial<Omit<Submit, "module" | "payload" | "payload_text" | "payload_base64" | "priority" | "limits" | "retry">> & {
  /** Default: the module's, else 5. */
  priority?: Priority;
  limits?: Limits;
  /** Such as `{ max_attempts: 5 }`; what is left out is the module's, or the cluster's. */
  retry?: Record<string, unknown>;
};

export interface WaitOptions {
  /** Milliseconds after which waiting ends; the task goes on. Default: an hour. */
  timeoutMs?: number;
  signal?: AbortSignal;
}

export interface Options {
  /** Where the API is. Default: `http://127.0.0.1:7070`. */
  server?: string | URL;
  /** Sent as `Authorization: Bearer …`. */
  token?: string;
  /** Whose modules and tasks it is about. Default: `default`. */
  namespace?: string;
  /** How often a request is tried at most. Default: 5. */
  tries?: number;
  /** Milliseconds after which a request counts as lost. Default: 60,000. */
  timeoutMs?: number;
  /** In place of the global one. */
  fetch?: typeof globalThis.fetch;
}

export type FeedEvent =
  | { event: "hello" | "resync"; cursor: string; data: Record<string, never> }
  | { event: "tasks"; cursor: string; data: FeedChange };

/** What the server refused, or could not be asked. */
export declare class TasklaneError extends Error {
  readonly status: number | undefined;
  /** A code of `docs/errors.md`, or `unreachable`, or `wait_timeout`. */
  readonly code: string | undefined;
  readonly hint: string | undefined;
  readonly errors: string[];
  readonly requestId: string | undefined;
}

/** A task that did not succeed. */
export declare class TaskFailed extends Error {
  constructor(task: TaskView);
  readonly task: TaskView;
}

export declare class Tasklane {
  constructor(options?: Options);
  submit(module: string, payload?: Payload, options?: SubmitOptions & { signal?: AbortSignal }): Promise<TaskAccepted>;
  submitBatch(
    tasks: ({ module: string; payload?: Payload } & SubmitOptions)[],
    onComplete?: { module: string; payload?: Payload } & SubmitOptions,
  ): Promise<BatchAccepted>;
  run<Out = unknown>(module: string, payload?: Payload, options?: SubmitOptions & WaitOptions): Promise<Out>;
  wait(id: string, options?: WaitOptions): Promise<TaskView>;
  get(id: string, options?: { signal?: AbortSignal }): Promise<TaskView>;
  list(query?: Record<string, string>): Promise<TaskList>;
  result<Out = unknown>(id: string): Promise<Out>;
  resultBytes(id: string): Promise<Uint8Array>;
  logs(id: string): Promise<string>;
  cancel(id: string): Promise<TaskView>;
  events(options?: { cursor?: string; signal?: AbortSignal }): AsyncGenerator<FeedEvent, void, void>;
  request(
    method: string,
    path: string,
    options?: { body?: unknown; accept?: string; isSafe?: boolean; signal?: AbortSignal },
  ): Promise<Response>;
}
