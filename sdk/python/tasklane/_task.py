"""From the host's bytes to a task and back."""

import dataclasses
import functools
import json as _json
import traceback
import typing
from typing import Any, Callable

from tasklane._errors import HostError, HttpError, PermanentError, RetryableError
from tasklane._input import read
from tasklane._services import log


@dataclasses.dataclass(frozen=True)
class Context:
    """What a task may know of the attempt that it is."""

    task_id: str
    """The task's UUID: the same for every attempt, and so a good idempotency key for side effects."""
    attempt: int
    """1 for the first attempt."""
    max_attempts: int
    module: str
    version: str
    queue: str
    priority: int
    """1 to 10; 10 is the most urgent."""
    time_left_ms: int
    """Milliseconds that the attempt had when it started."""

    @property
    def is_last_attempt(self) -> bool:
        """Whether no attempt follows."""
        return self.attempt >= self.max_attempts


@dataclasses.dataclass(frozen=True)
class Failure:
    """A failed attempt, in the host's words."""

    retryable: bool
    code: str
    message: str
    details: str | None
    after_ms: int | None = None


class Failed(Exception):
    """Carries a failure to whoever runs a task."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.code}: {failure.message}")
        self.failure = failure


def task(function: Callable[..., Any] | None = None, *, output: str = "json") -> Any:
    """Makes `def name(ctx: Context, input: In) -> Out` the module's task. The function stays callable, for tests.

    `In` is read from the payload: `bytes` as they are, everything else from JSON: dataclasses, lists, dicts, `Literal`, enums, `X | None`, classes
    with `model_validate`. `Out` is bytes as they are, everything else as JSON; with `output="text"`, a text goes out without quotes.
    `PermanentError` and `RetryableError` become what they say; any other exception is retryable, with the code `error` and its traceback.
    """
    if function is None:
        return functools.partial(task, output=output)
    if output not in ("json", "text"):
        raise TypeError('output is "json" or "text"')
    function.__tasklane__ = functools.partial(attempt, function, output)  # type: ignore[attr-defined]
    return function


def attempt(function: Callable[..., Any], output: str, ctx: Context, payload: bytes) -> bytes:
    """One attempt: raises `Failed`, and nothing else."""
    try:
        return write(function(ctx, read(payload, _input_of(function))), output)
    except (Exception, SystemExit) as error:
        raise Failed(failure(error)) from None


@functools.cache
def _input_of(function: Callable[..., Any]) -> Any:
    names = list(function.__code__.co_varnames[: function.__code__.co_argcount])
    if len(names) != 2:
        raise TypeError("a task takes two arguments: ctx: Context, input: In")
    return typing.get_type_hints(function, include_extras=True).get(names[1], Any)


def write(result: Any, output: str) -> bytes:
    """A result as bytes."""
    if isinstance(result, (bytes, bytearray)):
        return bytes(result)
    if output == "text" and isinstance(result, str):
        return result.encode("utf-8")
    try:
        return _json.dumps(result, ensure_ascii=False, allow_nan=False, default=_plain).encode("utf-8")
    except (TypeError, ValueError) as error:
        raise PermanentError("bad_output", f"the result is no JSON: {error}") from None


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def failure(error: Exception | SystemExit) -> Failure:
    """Any exception in the host's words; one that nobody foresaw goes to the log with its traceback, too."""
    match error:
        case PermanentError():
            return Failure(False, error.code, error.message, _details(error.details))
        case RetryableError():
            return Failure(True, error.code, error.message, _details(error.details), error.after_ms)
        case HostError():
            return Failure(error.code == "unavailable", error.code, error.message, None)
        case HttpError():
            return Failure(not error.is_permanent, "http", f"{error.code}: {error.message}", None)
    words, trace = f"{type(error).__name__}: {error}", "".join(traceback.format_exception(error))
    log.error(words, traceback=trace)
    return Failure(True, "error", words, _json.dumps({"traceback": trace}))


def _details(details: Any) -> str | None:
    return None if details is None else _json.dumps(details, ensure_ascii=False, default=str)
