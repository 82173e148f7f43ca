//! The program of `plugins/fixtures/conformance` in TypeScript, and what only JavaScript has: promises and stacks.

import { HostError, HttpError, config, enqueue, fetch, kv, log, PermanentError, progress, RetryableError, secret, sleep, task } from "tasklane-sdk";
import type { Context, Entry } from "tasklane-sdk";
import * as z from "zod/mini";

const Wish = z.object({
  do: z.string(),
  value: z.optional(z.unknown()),
  text: z.optional(z.string()),
  count: z.optional(z.int()),
  list: z.optional(z.array(z.object({ n: z.int() }))),
});
type Wish = z.infer<typeof Wish>;

const verbs: Record<string, (wish: Wish, ctx: Context) => unknown> = {
  echo: (wish) => wish.value ?? null,
  nothing: () => undefined,
  sum: (wish) => (wish.list ?? []).reduce((sum, part) => sum + part.n, 0),
  context: (_, ctx) => ({
    task_id: ctx.taskId,
    attempt: ctx.attempt,
    max_attempts: ctx.maxAttempts,
    module: ctx.module,
    version: ctx.version,
    queue: ctx.queue,
    priority: ctx.priority,
    is_last: ctx.isLastAttempt,
    has_time: ctx.timeLeftMs > 0,
  }),
  permanent: (wish) => {
    throw new PermanentError("no-good", wish.text ?? "", { a: 1 });
  },
  retryable: (wish) => {
    throw new RetryableError("busy", wish.text ?? "", undefined, { a: 1 });
  },
  later: (wish) => {
    throw new RetryableError("busy", "later", wish.count);
  },
  until: (wish, ctx) => {
    if (ctx.attempt < (wish.count ?? 0)) throw new RetryableError("not-yet", "another attempt will do");
    return ctx.attempt;
  },
  unforeseen: () => {
    throw new SyntaxError("invalid digit found in string");
  },
  log: () => {
    for (const [level, word] of [["trace", "a"], ["debug", "b"], ["info", "c"], ["warn", "d"], ["error", "e"]] as const) {
      log[level](word, { n: 1, who: "Ada" });
    }
    return null;
  },
  progress: async (wish) => {
    progress(0.5, "half");
    await sleep(wish.count ?? 0);
    return null;
  },
  config: () => [config("colour") ?? null, config("none") ?? null],
  secret: (wish) => {
    const value = secret(wish.text ?? "");
    log.info(`it is ${value}`);
    return value.length;
  },
  kv: keysAndValues,
  "kv-denied": () => kv.shared("others").get("a") !== undefined,
  "kv-caught": () => caught(HostError, () => kv.shared("others").get("a")),
  enqueue: (wish, ctx) => {
    const child = (key: string) => ({ key, module: ctx.module, input: { do: "echo", value: key } });
    const options = { priority: 8, labels: { of: wish.text ?? "" } };
    const first = enqueue([{ ...child("a"), options }, child("b")]);
    const again = enqueue([{ ...child("a"), options }]);
    return [first.length, first[0] === again[0]];
  },
  http: async (wish) => {
    const answer = await fetch(wish.text ?? "", { method: "POST", body: "hello", headers: { "x-asked": "yes" } });
    return [answer.status, answer.headers.has("content-type"), (await answer.bytes()).length > 0];
  },
  "http-caught": async (wish) => {
    try {
      await fetch(wish.text ?? "");
      return null;
    } catch (error) {
      return (error as HttpError).code;
    }
  },
  // Only here.
  promises: async () => {
    const order: number[] = [];
    const say = async (n: number, ms: number) => {
      await sleep(ms);
      order.push(n);
      return n;
    };
    const all = await Promise.all([say(1, 20), say(2, 1), Promise.resolve(3)]);
    const settled = await Promise.allSettled([Promise.reject(new Error("no")), say(4, 1)]);
    async function* numbers() {
      yield 5;
      await sleep(1);
      yield 6;
    }
    for await (const n of numbers()) order.push(n);
    return { all, order, settled: settled.map((one) => one.status) };
  },
  never: () => new Promise(() => {}),
  deep: () => outer(),
  unprintable: () => () => 1,
};

function caught(kind: typeof HostError, call: () => unknown): string | null {
  try {
    call();
    return null;
  } catch (error) {
    if (error instanceof kind) return error.code;
    throw error;
  }
}

const shown = (entry: Entry | undefined) => entry?.text() ?? null;

function keysAndValues(): unknown[] {
  const store = kv.own();
  const seen: unknown[] = [shown(store.get("a"))];
  const revision = store.set("a", "1");
  seen.push(shown(store.get("a")));
  const taken = store.compareAndSet("a", "absent", "2");
  seen.push(taken.done ? "done" : shown(taken.found));
  seen.push(store.compareAndSet("a", { revision }, "zwei ü").done, shown(store.get("a")));
  seen.push(store.increment("n", 40), store.increment("n", 2), caught(HostError, () => store.increment("a")));
  const first = store.keys("", undefined, 1);
  seen.push([first.keys, first.next ?? null]);
  const second = store.keys("", first.next, 10);
  seen.push([second.keys, second.next ?? null]);
  seen.push(store.delete("a"), store.delete("a"), store.delete("n"));
  return seen;
}

function outer(): never {
  throw new TypeError("from within"); // line 139 of this file: tests/tests/sdk_conformance.rs looks for it
}

export default task(
  async (ctx, wish) => {
    const verb = verbs[wish.do];
    if (verb === undefined) throw new PermanentError("unknown", wish.do);
    return verb(wish, ctx);
  },
  { input: Wish },
);
