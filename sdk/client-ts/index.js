//! A client of Tasklane's REST API for Node 20 or newer and for browsers: no dependency, no build. Types are in `index.d.ts`.
//!
//! Guarantees: a submit carries an idempotency key, so that trying again after a lost answer submits nothing twice; requests that change nothing, and those
//! with a key, are tried again after network errors, 429, 502, 503 and 504, no sooner than the server asks; what the server refuses is a
//! `TasklaneError` with its code and hint.

/** Statuses that may pass by themselves. */
const PASSING = new Set([429, 502, 503, 504]);
/** Shortest and longest pause before another try, in milliseconds. */
const PAUSE_MIN_MS = 100;
const PAUSE_MAX_MS = 10_000;
/** How often an unfinished task is looked at, at first and later, in milliseconds. */
const LOOK_MIN_MS = 25;
const LOOK_MAX_MS = 1_000;
/** How long the server holds a request that waits for an end, in seconds. */
const WAIT_SECONDS = 30;
/** States that a task never leaves. */
const ENDED = new Set(["succeeded", "failed", "cancelled", "expired"]);

/** What the server refused, or could not be asked. */
export class TasklaneError extends Error {
  name = "TasklaneError";

  constructor(message, { status, code, hint, errors = [], requestId, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    Object.assign(this, { status, code, hint, errors, requestId });
  }
}

/** A task that did not succeed. */
export class TaskFailed extends Error {
  name = "TaskFailed";

  constructor(task) {
    const { kind = task.state, code, message } = task.outcome ?? {};
    super(`task ${task.id} ${task.state} (${code ?? kind})${message ? `: ${message}` : ""}`);
    this.task = task;
  }
}

const pause = (ms, signal) =>
  new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });

const base64 = (bytes) => {
  let text = "";
  for (let at = 0; at < bytes.length; at += 32_768) text += String.fromCharCode(...bytes.subarray(at, at + 32_768));
  return btoa(text);
};

/** A connection to one API. */
export class Tasklane {
  #server;
  #headers;
  #namespace;
  #tries;
  #timeoutMs;
  #fetch;

  constructor({ server = "http://127.0.0.1:7070", token, namespace, tries = 5, timeoutMs = 60_000, fetch = globalThis.fetch } = {}) {
    this.#server = String(server).replace(/\/+$/, "");
    this.#headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    this.#namespace = namespace;
    this.#tries = tries;
    this.#timeoutMs = timeoutMs;
    this.#fetch = fetch.bind(globalThis);
  }

  /** Submits one task. */
  async submit(module, payload, options = {}) {
    return this.#post("/api/v1/tasks", this.#task(module, payload, options), options.signal);
  }

  /** Submits tasks together; they may name each other in `after`. */
  async submitBatch(tasks, onComplete) {
    const request = ({ module, payload, ...options }) => this.#task(module, payload, options);
    const body = { tasks: tasks.map(request) };
    if (onComplete !== undefined) body.on_complete = request(onComplete);
    return this.#post("/api/v1/tasks/batch", body);
  }

  /** Submits one task, waits for its end, and gives its result; a `TaskFailed` if it did not succeed. */
  async run(module, payload, options = {}) {
    const path = `/api/v1/tasks?wait=${WAIT_SECONDS}s`;
    const accepted = await this.#post(path, this.#task(module, payload, options), options.signal);
    const task = await this.wait(accepted.id, options);
    if (task.state !== "succeeded") throw new TaskFailed(task);
    return this.result(task.id);
  }

  /** Waits for a task's end, at most `timeoutMs`. */
  async wait(id, { timeoutMs = 3_600_000, signal } = {}) {
    const until = Date.now() + timeoutMs;
    for (let look = LOOK_MIN_MS; ; look = Math.min(look * 1.5, LOOK_MAX_MS)) {
      const task = await this.get(id, { signal });
      if (ENDED.has(task.state)) return task;
      if (Date.now() + look > until) throw new TasklaneError(`task ${id} has not ended within ${timeoutMs} ms; it goes on`, { code: "wait_timeout" });
      await pause(look, signal);
    }
  }

  /** One task. */
  async get(id, { signal } = {}) {
    return (await this.request("GET", `/api/v1/tasks/${encodeURIComponent(id)}`, { signal })).json();
  }

  /** A page of tasks, the newest first; `cursor` of the next one is `next_cursor`. */
  async list(query = {}) {
    const wanted = { ...(this.#namespace === undefined ? {} : { namespace: this.#namespace }), ...query };
    return (await this.request("GET", `/api/v1/tasks?${new URLSearchParams(wanted)}`)).json();
  }

  /** What the task returned: JSON as it is meant, text as text, anything else as bytes. */
  async result(id) {
    const bytes = await this.resultBytes(id);
    try {
      const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
      try {
        return JSON.parse(text);
      } catch {
        return text;
      }
    } catch {
      return bytes;
    }
  }

  /** What the task returned, as bytes. */
  async resultBytes(id) {
    const answer = await this.request("GET", `/api/v1/tasks/${encodeURIComponent(id)}/result`);
    return new Uint8Array(await answer.arrayBuffer());
  }

  /** What the task said. */
  async logs(id) {
    return (await this.request("GET", `/api/v1/tasks/${encodeURIComponent(id)}/logs`, { accept: "text/plain" })).text();
  }

  /** Asks for a task's end. */
  async cancel(id) {
    return (await this.request("POST", `/api/v1/tasks/${encodeURIComponent(id)}/cancel`, { body: {}, isSafe: true })).json();
  }

  /**
   * What changes, as it changes. Broken connections are made anew behind the last cursor; `resync` says that something was missed. Ends when `signal` is aborted.
   */
  async *events({ cursor, signal } = {}) {
    let last = cursor;
    for (let failures = 0; !signal?.aborted; ) {
      try {
        for await (const event of this.#stream(last, signal)) {
          last = event.cursor;
          failures = 0;
          yield event;
        }
      } catch (error) {
        if (signal?.aborted) return;
        if (error instanceof TasklaneError && error.status !== undefined && !PASSING.has(error.status)) throw error;
        if (++failures >= this.#tries) throw error;
      }
      try {
        await pause(backoff(failures), signal);
      } catch {
        return;
      }
    }
  }

  /** Any request of the API. `isSafe`: it may be repeated. */
  async request(method, path, { body, accept = "application/json", isSafe = method === "GET", signal } = {}) {
    for (let tried = 1; ; tried++) {
      const isLast = !isSafe || tried >= this.#tries;
      const [answer, error] = await this.#once(method, path, body, accept, signal);
      if (answer?.ok) return answer;
      if (signal?.aborted) throw signal.reason;
      if (answer === undefined && isLast) throw new TasklaneError(`${this.#server} cannot be reached: ${words(error)}`, { code: "unreachable", cause: error });
      if (answer !== undefined && (isLast || !PASSING.has(answer.status))) throw await refused(answer);
      await answer?.body?.cancel();
      await pause(Math.max(backoff(tried), asked(answer)), signal);
    }
  }

  async #once(method, path, body, accept, signal) {
    const headers = { ...this.#headers, accept };
    if (body !== undefined) headers["content-type"] = "application/json";
    const signals = [AbortSignal.timeout(this.#timeoutMs), ...(signal === undefined ? [] : [signal])];
    const init = { method, headers, signal: either(signals) };
    if (body !== undefined) init.body = JSON.stringify(body);
    try {
      return [await this.#fetch(this.#server + path, init), undefined];
    } catch (error) {
      return [undefined, error];
    }
  }

  async #post(path, body, signal) {
    return (await this.request("POST", path, { body, isSafe: true, signal })).json();
  }

  #task(module, payload, { timeoutMs, signal, ...options }) {
    const task = { module, idempotency_key: crypto.randomUUID(), ...options };
    // A task of which there may be one has a key of its own kind.
    if (options.unique !== undefined) delete task.idempotency_key;
    if (this.#namespace !== undefined) task.namespace ??= this.#namespace;
    if (payload instanceof Uint8Array) task.payload_base64 = base64(payload);
    else if (payload !== undefined) task.payload = payload;
    return task;
  }

  async *#stream(cursor, signal) {
    const query = cursor === undefined ? "" : `?cursor=${encodeURIComponent(cursor)}`;
    let answer;
    try {
      answer = await this.#fetch(`${this.#server}/api/v1/events${query}`, { headers: { ...this.#headers, accept: "text/event-stream" }, signal });
    } catch (error) {
      throw new TasklaneError(`${this.#server} cannot be reached: ${words(error)}`, { code: "unreachable", cause: error });
    }
    if (!answer.ok) throw await refused(answer);
    let text = "";
    const decoder = new TextDecoder();
    const reader = answer.body.getReader();
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        text += decoder.decode(value, { stream: true });
        const messages = text.split(/\r?\n\r?\n/);
        text = messages.pop() ?? "";
        for (const message of messages) {
          const event = parsed(message);
          if (event !== undefined) yield event;
        }
      }
    } finally {
      await reader.cancel().catch(() => {});
    }
  }
}

/** One message of server-sent events; a comment is none. */
function parsed(message) {
  const fields = { event: "message", data: [] };
  for (const line of message.split(/\r?\n/)) {
    const [, name, value] = /^([^:]*):? ?(.*)$/.exec(line) ?? [];
    if (name === "data") fields.data.push(value);
    else if (name) fields[name] = value;
  }
  if (fields.data.length === 0) return undefined;
  return { event: fields.event, cursor: fields.id, data: JSON.parse(fields.data.join("\n")) };
}

/** Twice as long each time, less a random part, so that many clients do not come back at once. */
function backoff(tried) {
  return Math.min(PAUSE_MIN_MS * 2 ** tried, PAUSE_MAX_MS) * (0.5 + Math.random() / 2);
}

/** How long the server asks to wait, in milliseconds. */
function asked(answer) {
  const seconds = Number(answer?.headers.get("retry-after") ?? 0);
  return Number.isFinite(seconds) ? Math.min(seconds * 1000, PAUSE_MAX_MS) : 0;
}

function either(signals) {
  if (signals.length === 1) return signals[0];
  return AbortSignal.any(signals);
}

function words(error) {
  return error?.cause?.message ?? error?.message ?? String(error);
}

async function refused(answer) {
  const text = await answer.text();
  try {
    const { detail, code, hint, errors, request_id: requestId } = JSON.parse(text);
    return new TasklaneError(`${detail} (${code})`, { status: answer.status, code, hint, errors, requestId });
  } catch {
    return new TasklaneError(`the server answered ${answer.status}, which is no answer of Tasklane`, { status: answer.status });
  }
}
