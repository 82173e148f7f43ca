"""A host in memory, for tests: what a task says is kept, what it asks for was set by the test (`tasklane.testing`)."""

import time
from dataclasses import dataclass, field
from typing import Any

from tasklane._errors import HostError, HttpError


@dataclass
class World:
    """What a test sets, and what a task left."""

    log: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    progress: list[tuple[float, str]] = field(default_factory=list)
    children: list[tuple[str, str, bytes, str]] = field(default_factory=list)
    requests: list[tuple[str, str, list[tuple[str, bytes]], bytes]] = field(default_factory=list)
    config: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, bytes] = field(default_factory=dict)
    answers: dict[str, tuple[int, list[tuple[str, bytes]], bytes]] = field(default_factory=dict)
    stores: dict[str, dict[str, tuple[bytes, str]]] = field(default_factory=dict)
    revision: int = 0


world = World()


def reset() -> None:
    """Forgets everything."""
    global world
    world = World()


class Native:
    """The functions of `tasklane._guest`, on `world`."""

    def log(self, level: str, message: str, fields: list[tuple[str, str]]) -> None:
        world.log.append((level, message, dict(fields)))

    def progress(self, fraction: float, message: str) -> None:
        world.progress.append((fraction, message))

    def config(self, key: str) -> str | None:
        return world.config.get(key)

    def secret(self, name: str) -> bytes | None:
        return world.secrets.get(name)

    def sleep(self, seconds: float) -> None:
        time.sleep(0)

    def enqueue(self, children: list[tuple[str, str, bytes, str]]) -> list[str]:
        world.children.extend(children)
        return [f"native-{child[0]}" for child in children]

    def _store(self, name: str) -> dict[str, tuple[bytes, str]]:
        return world.stores.setdefault(name, {})

    def kv_get(self, store: str, key: str) -> tuple[bytes, str] | None:
        return self._store(store).get(key)

    def kv_set(self, store: str, key: str, value: bytes, ttl_ms: int | None) -> str:
        world.revision += 1
        self._store(store)[key] = (value, str(world.revision))
        return str(world.revision)

    def kv_compare_and_set(self, store: str, key: str, expected: str | None, value: bytes | None, ttl_ms: int | None) -> Any:
        found = self._store(store).get(key)
        if (found is None) != (expected is None) or (found is not None and found[1] != expected):
            return False, None, found
        if value is not None:
            return True, self.kv_set(store, key, value, ttl_ms), None
        self._store(store).pop(key, None)
        world.revision += 1
        return True, str(world.revision), None

    def kv_increment(self, store: str, key: str, by: int, ttl_ms: int | None) -> str:
        found = self._store(store).get(key)
        try:
            total = str(int(found[0] if found else 0) + by)
        except ValueError:
            raise HostError("invalid", "the value is not a whole number in decimal digits") from None
        self.kv_set(store, key, total.encode(), ttl_ms)
        return total

    def kv_delete(self, store: str, key: str) -> bool:
        return self._store(store).pop(key, None) is not None

    def kv_list_keys(self, store: str, prefix: str, after: str | None, limit: int) -> tuple[list[str], str | None]:
        fits = sorted(key for key in self._store(store) if key.startswith(prefix) and (after is None or key > after))
        return fits[:limit], fits[limit - 1] if len(fits) > limit else None

    def http(self, method: str, url: str, headers: list[tuple[str, bytes]], body: bytes) -> Any:
        world.requests.append((method, url, headers, body))
        if url not in world.answers:
            raise HttpError("HTTP-request-denied", f"no answer is set for {url}")
        return world.answers[url]
