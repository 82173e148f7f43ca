"""Stand-ins of the host for tests in plain Python.

    testing.reset()
    testing.world().config["greeting"] = "Ahoy"
    assert testing.run(greet, {"name": "Ada"}).result == "Ahoy, Ada!"
"""

import json as _json
from dataclasses import dataclass
from typing import Any

from tasklane import _native
from tasklane._native import World, reset
from tasklane._task import Context, Failed

__all__ = ["Outcome", "World", "context", "reset", "run", "world"]


@dataclass(frozen=True)
class Outcome:
    """What an attempt came to."""

    ok: bool
    result: Any = None
    """JSON if it is some, else bytes."""
    retryable: bool = False
    code: str | None = None
    message: str | None = None
    details: Any = None
    after_ms: int | None = None


def world() -> World:
    """What the test sets and the task left, since the last `reset`."""
    return _native.world


def context(attempt: int = 1, max_attempts: int = 3) -> Context:
    """The context of a first attempt of three, with a minute left, or of another."""
    return Context("01900000-0000-7000-8000-000000000000", attempt, max_attempts, "test", "0.0.0", "default", 5, 60_000)


def run(task: Any, payload: Any = b"", attempt: int = 1, max_attempts: int = 3) -> Outcome:
    """Runs one attempt as the host does: from the payload's bytes to the result's. Other payloads than bytes are given as JSON."""
    raw = payload if isinstance(payload, bytes) else _json.dumps(payload).encode("utf-8")
    try:
        result = task.__tasklane__(context(attempt, max_attempts), raw)
    except Failed as failed:
        told = failed.failure
        details = None if told.details is None else _json.loads(told.details)
        return Outcome(False, None, told.retryable, told.code, told.message, details, told.after_ms)
    try:
        return Outcome(True, _json.loads(result))
    except ValueError:
        return Outcome(True, result)
