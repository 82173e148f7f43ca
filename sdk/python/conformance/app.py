"""The program of `plugins/fixtures/conformance` in Python."""

import builtins
from dataclasses import dataclass
from typing import Any, Callable

from tasklane import (
    Child, Context, Entry, HostError, HttpError, PermanentError, RetryableError, config, enqueue, fetch, kv, log, progress, secret,
    sleep, task,
)


@dataclass
class Part:
    n: int


@dataclass
class Wish:
    do: str
    value: Any = None
    text: str | None = None
    count: int | None = None
    list: builtins.list[Part] | None = None


def echo(wish: Wish, ctx: Context) -> Any:
    return wish.value


def nothing(wish: Wish, ctx: Context) -> None:
    pass


def sum_up(wish: Wish, ctx: Context) -> Any:
    return sum(part.n for part in wish.list or [])


def context(wish: Wish, ctx: Context) -> Any:
    return {
        "task_id": ctx.task_id, "attempt": ctx.attempt, "max_attempts": ctx.max_attempts, "module": ctx.module,
        "version": ctx.version, "queue": ctx.queue, "priority": ctx.priority, "is_last": ctx.is_last_attempt,
        "has_time": ctx.time_left_ms > 0,
    }


def permanent(wish: Wish, ctx: Context) -> Any:
    raise PermanentError("no-good", wish.text or "", {"a": 1})


def retryable(wish: Wish, ctx: Context) -> Any:
    raise RetryableError("busy", wish.text or "", details={"a": 1})


def later(wish: Wish, ctx: Context) -> Any:
    raise RetryableError("busy", "later", after_ms=wish.count)


def until(wish: Wish, ctx: Context) -> Any:
    if ctx.attempt < (wish.count or 0):
        raise RetryableError("not-yet", "another attempt will do")
    return ctx.attempt


def unforeseen(wish: Wish, ctx: Context) -> Any:
    raise ValueError("invalid digit found in string")


def log_all(wish: Wish, ctx: Context) -> Any:
    for level, word in (("trace", "a"), ("debug", "b"), ("info", "c"), ("warn", "d"), ("error", "e")):
        log.write(level, word, n=1, who="Ada")


def report(wish: Wish, ctx: Context) -> Any:
    progress(0.5, "half")
    sleep((wish.count or 0) / 1000)


def configured(wish: Wish, ctx: Context) -> Any:
    return [config("colour"), config("none")]


def secret_length(wish: Wish, ctx: Context) -> Any:
    value = secret(wish.text or "")
    log.info(f"it is {value}")
    return len(value)


def caught(kind: type, call: Callable[[], Any]) -> str | None:
    try:
        call()
        return None
    except kind as error:
        return error.code


def shown(entry: Entry | None) -> str | None:
    return None if entry is None else entry.text()


def keys_and_values(wish: Wish, ctx: Context) -> Any:
    store = kv.own()
    seen: list[Any] = [shown(store.get("a"))]
    revision = store.set("a", "1")
    seen.append(shown(store.get("a")))
    taken = store.compare_and_set("a", None, "2")
    seen.append("done" if taken.done else shown(taken.found))
    seen.append(store.compare_and_set("a", revision, "zwei ü").done)
    seen.append(shown(store.get("a")))
    seen += [store.increment("n", 40), store.increment("n", 2), caught(HostError, lambda: store.increment("a"))]
    first = store.keys("", None, 1)
    second = store.keys("", first.next, 10)
    seen += [[first.keys, first.next], [second.keys, second.next]]
    seen += [store.delete("a"), store.delete("a"), store.delete("n")]
    return seen


def kv_denied(wish: Wish, ctx: Context) -> Any:
    return kv.shared("others").get("a") is not None


def kv_caught(wish: Wish, ctx: Context) -> Any:
    return caught(HostError, lambda: kv.shared("others").get("a"))


def children(wish: Wish, ctx: Context) -> Any:
    a = Child("a", ctx.module, {"do": "echo", "value": "a"}, {"priority": 8, "labels": {"of": wish.text}})
    b = Child("b", ctx.module, {"do": "echo", "value": "b"})
    first, again = enqueue([a, b]), enqueue([a])
    return [len(first), first[0] == again[0]]


def http(wish: Wish, ctx: Context) -> Any:
    answer = fetch(wish.text or "", "POST", {"x-asked": "yes"}, "hello")
    return [answer.status, "content-type" in answer.headers, len(answer.body) > 0]


def http_caught(wish: Wish, ctx: Context) -> Any:
    return caught(HttpError, lambda: fetch(wish.text or ""))


VERBS: dict[str, Callable[[Wish, Context], Any]] = {
    "echo": echo, "nothing": nothing, "sum": sum_up, "context": context, "permanent": permanent, "retryable": retryable,
    "later": later, "until": until, "unforeseen": unforeseen, "log": log_all, "progress": report, "config": configured,
    "secret": secret_length, "kv": keys_and_values, "kv-denied": kv_denied, "kv-caught": kv_caught, "enqueue": children,
    "http": http, "http-caught": http_caught,
}


@task
def conformance(ctx: Context, wish: Wish) -> Any:
    if wish.do not in VERBS:
        raise PermanentError("unknown", wish.do)
    return VERBS[wish.do](wish, ctx)
