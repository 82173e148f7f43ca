"""What a task may ask of its host. Each call returns when it is done."""

import json as _json
import math
from dataclasses import dataclass, field
from typing import Any, Mapping

from tasklane._errors import HostError
from tasklane._host import host


class _Log:
    """Lines for the task's log. What is over the log limit is counted, not kept; logging never fails a task."""

    def write(self, level: str, message: str, **fields: Any) -> None:
        """A line of a level: trace, debug, info, warn, error."""
        host().log(level, str(message), [(key, value if isinstance(value, str) else _shown(value)) for key, value in fields.items()])

    def trace(self, message: str, **fields: Any) -> None:
        self.write("trace", message, **fields)

    def debug(self, message: str, **fields: Any) -> None:
        self.write("debug", message, **fields)

    def info(self, message: str, **fields: Any) -> None:
        self.write("info", message, **fields)

    def warn(self, message: str, **fields: Any) -> None:
        self.write("warn", message, **fields)

    def error(self, message: str, **fields: Any) -> None:
        self.write("error", message, **fields)


log = _Log()


def _shown(value: Any) -> str:
    return _json.dumps(value, ensure_ascii=False, default=str)


def progress(fraction: float, message: str = "") -> None:
    """Tells how far the task is: `fraction` from 0 to 1. Best effort: the newest in about 500 ms is shown."""
    host().progress(min(max(fraction, 0.0), 1.0) if math.isfinite(fraction) else 0.0, message)


def config(key: str, default: str | None = None) -> str | None:
    """A setting of the manifest's `[config]`."""
    value = host().config(key)
    return default if value is None else value


def secret(name: str) -> str:
    """A secret that an operator has set, as text. From now on the host masks it in this attempt's log and errors. The manifest must grant it."""
    found = host().secret(name)
    if found is None:
        raise HostError("invalid", f"nobody has set the secret `{name}`: taskctl secrets set {name}")
    return found.decode("utf-8")


def sleep(seconds: float) -> None:
    """Waits. The wall time of the attempt goes on."""
    host().sleep(seconds)


@dataclass
class Child:
    """A task below this one."""

    key: str
    """What this task calls it: the same key is the same child, however often the attempt is repeated."""
    module: str
    """`name` or `name@version`."""
    input: Any = b""
    """Bytes as they are, everything else as JSON."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of a submit, such as `{"priority": "high", "after": ["part-1"]}`."""


def enqueue(children: list[Child]) -> list[str]:
    """Enqueues all or none; when it returns, they are committed. Gives their ids in the same order. The manifest must grant it."""
    def raw(child: Child) -> tuple[str, str, bytes, str]:
        payload = child.input if isinstance(child.input, bytes) else _json.dumps(child.input, ensure_ascii=False).encode("utf-8")
        return child.key, child.module, payload, _json.dumps(dict(child.options)) if child.options else ""

    return host().enqueue([raw(child) for child in children])


@dataclass(frozen=True)
class Entry:
    """A value with its revision, which is only to be compared."""

    value: bytes
    revision: str

    def text(self) -> str:
        """The value as text."""
        return self.value.decode("utf-8")

    def json(self) -> Any:
        """The value as JSON."""
        return _json.loads(self.value)


@dataclass(frozen=True)
class Swapped:
    """What a compare-and-set came to: the new revision, or what is there instead."""

    done: bool
    revision: str | None
    found: Entry | None


@dataclass(frozen=True)
class Page:
    """Some keys, and `after` for the next page, if there is one."""

    keys: list[str]
    next: str | None


class Store:
    """A store of keys and values. Values are bytes or text."""

    def __init__(self, name: str) -> None:
        self._name = name

    def get(self, key: str) -> Entry | None:
        """The value of a key, if it is there and has not expired."""
        found = host().kv_get(self._name, key)
        return None if found is None else Entry(*found)

    def set(self, key: str, value: bytes | str, ttl_ms: int | None = None) -> str:
        """Sets a value and gives its revision. With `ttl_ms` it goes by itself after so many milliseconds."""
        return host().kv_set(self._name, key, _bytes(value), ttl_ms)

    def compare_and_set(self, key: str, expected: str | None, value: bytes | str | None = None, ttl_ms: int | None = None) -> Swapped:
        """Sets a value if the key has the expected revision, or is not there if that is None; without a value, deletes the key."""
        done, revision, found = host().kv_compare_and_set(self._name, key, expected, None if value is None else _bytes(value), ttl_ms)
        return Swapped(done, revision, None if found is None else Entry(*found))

    def increment(self, key: str, by: int = 1, ttl_ms: int | None = None) -> int:
        """Adds to a whole number and gives the new one; a key that is not there counts as 0. `ttl_ms` holds for a new key only."""
        return int(host().kv_increment(self._name, key, by, ttl_ms))

    def delete(self, key: str) -> bool:
        """Deletes a key; whether it was there."""
        return host().kv_delete(self._name, key)

    def keys(self, prefix: str = "", after: str | None = None, limit: int = 1000) -> Page:
        """At most `limit` keys (1 to 1,000) that begin with `prefix`, those after `after` if given."""
        return Page(*host().kv_list_keys(self._name, prefix, after, limit))


def _bytes(value: bytes | str) -> bytes:
    return value.encode("utf-8") if isinstance(value, str) else value


class kv:
    """Keys and values that outlive the task. The manifest must grant each store: `[permissions] kv = ["own", "shared:carts"]`."""

    @staticmethod
    def own() -> Store:
        """The module's own store: of all its versions, and of nobody else."""
        return Store("own")

    @staticmethod
    def shared(name: str) -> Store:
        """A store that several modules use."""
        return Store(f"shared:{name}")
