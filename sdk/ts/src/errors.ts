//! How a task fails, and how the host refuses.

/** An error that no other attempt mends. `code` is short and stable, for programs; `details` becomes JSON. */
export class PermanentError extends Error {
  override name = "PermanentError";
  constructor(
    readonly code: string,
    message: string,
    readonly details?: unknown,
  ) {
    super(message);
  }
}

/** An error that may pass by itself. `afterMs`: not before this many milliseconds; the retry policy may wait longer. */
export class RetryableError extends Error {
  override name = "RetryableError";
  constructor(
    readonly code: string,
    message: string,
    readonly afterMs?: number,
    readonly details?: unknown,
  ) {
    super(message);
  }
}

export { PermanentError as Permanent, RetryableError as Retryable };

/** Why a host function did not do it. Uncaught, it ends the attempt with its code: `unavailable` is tried again, the others are not. */
export class HostError extends Error {
  override name = "HostError";
  constructor(
    readonly code: "access-denied" | "limit-exceeded" | "invalid" | "unavailable",
    message: string,
  ) {
    super(message);
  }
}

/** Codes of requests that another attempt cannot mend. */
const HTTP_PERMANENT = new Set([
  "HTTP-request-denied",
  "destination-IP-prohibited",
  "HTTP-request-URI-invalid",
  "HTTP-request-URI-too-long",
  "HTTP-request-method-invalid",
  "HTTP-request-body-size",
  "HTTP-response-body-size",
  "header-error",
]);

/** Why a request has no answer; `code` is the name in `wasi:http`. Uncaught, it ends the attempt with the code `http`. */
export class HttpError extends Error {
  override name = "HttpError";
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }

  /** Whether no other attempt helps. */
  get isPermanent(): boolean {
    return HTTP_PERMANENT.has(this.code);
  }
}

/** An exception in words. */
export function words(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

/** What the host is told. */
export interface Failure {
  code: string;
  message: string;
  details?: string;
}
export type TaskError =
  | { tag: "permanent"; val: Failure }
  | { tag: "retryable"; val: { failure: Failure; afterMs?: number } };

/** Any exception as an error of the task; `stack` is its stack, if that says more than the error itself. */
export function toTaskError(error: unknown, stack?: string): TaskError {
  if (error instanceof PermanentError) return permanent(error.code, error.message, error.details);
  if (error instanceof RetryableError) return retryable(error.code, error.message, error.details, error.afterMs);
  if (error instanceof HostError) {
    return error.code === "unavailable" ? retryable(error.code, error.message) : permanent(error.code, error.message);
  }
  if (error instanceof HttpError) {
    const message = `${error.code}: ${error.message}`;
    return error.isPermanent ? permanent("http", message) : retryable("http", message);
  }
  return retryable("error", words(error), { stack });
}

function permanent(code: string, message: string, details?: unknown): TaskError {
  return { tag: "permanent", val: failure(code, message, details) };
}

function retryable(code: string, message: string, details?: unknown, afterMs?: number): TaskError {
  return { tag: "retryable", val: { failure: failure(code, message, details), afterMs } };
}

function failure(code: string, message: string, details: unknown): Failure {
  return { code: String(code), message: String(message), details: details === undefined ? undefined : JSON.stringify(details) };
}
