"""To write tasks in Python: `Handler = task(run)`, where `run(input, ctx)` returns bytes, text or anything that JSON has.

Put beside the module's source; `componentize-py` makes `wit_world` from `wit/`. Guarantees: whatever a handler raises becomes an
error of the task with a code and a message; without this it would be a trap. Does not check a payload's shape: that is the handler's.
"""

import json as _json
import re
import traceback
from typing import Any, Callable, Mapping, Union

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import config as _config
from wit_world.imports import log as _log
from wit_world.imports import progress as _progress
from wit_world.imports.types import Context, Failure, Retry, TaskError_Permanent, TaskError_Retryable

Result = Union[bytes, str, int, float, bool, None, list, dict]


NESTING_MAX = 200
"""Deepest list or object in JSON that `json` reads: each level takes stack, and a full stack would end the attempt without words."""
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\Z)|[\[\]{}]', re.DOTALL)


class Permanent(Exception):
    """An error that no other attempt mends: a short stable code for programs, a message for people, details for JSON."""

    def __init__(self, code: str, message: str, details: Any = None) -> None:
        super().__init__(message)
        self.code, self.message, self.details = code, message, details


class Retryable(Permanent):
    """An error that may pass by itself; not before `after_ms` milliseconds, if given."""

    def __init__(self, code: str, message: str, after_ms: int | None = None, details: Any = None) -> None:
        super().__init__(code, message, details)
        self.after_ms = after_ms


def task(work: Callable[[bytes, Context], Result]) -> type:
    """Makes a function the module's handler; assign it to the name `Handler` in the module that is built.

    `Permanent` and `Retryable` become what they say; any other exception is retryable, with the code `exception` and its
    traceback in the details.
    """

    class Handler(exports.Handler):
        def run(self, ctx: Context, input: bytes) -> bytes:
            try:
                return _to_bytes(work(input, ctx))
            except Exception as error:
                raise Err(_to_task_error(error)) from None

    return Handler


def text(input: bytes) -> str:
    """The payload as text; a permanent `bad_utf8` if it is none."""
    try:
        return input.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Permanent("bad_utf8", f"the payload is no UTF-8 text: byte {error.start} is wrong") from None


def json(input: bytes) -> Any:
    """The payload as JSON; a permanent `bad_json` if it is none. Numbers with a point come as `str`, exactly as they are written."""
    document = text(input)
    if _is_too_deep(document):
        raise Permanent("bad_json", f"the payload is nested deeper than {NESTING_MAX} levels")
    try:
        return _json.loads(document, parse_float=str, parse_constant=_refuse)
    except ValueError as error:
        raise Permanent("bad_json", f"the payload is no JSON: {error}") from None


def log(level: str, message: str, fields: Mapping[str, Any] | None = None) -> None:
    """Adds a line to the task's log (`trace`, `debug`, `info`, `warn`, `error`). What the host does not take is no reason to fail."""
    pairs = [_log.Field(key, str(value)) for key, value in (fields or {}).items()]
    _attempt(lambda: _log.write(_log.Level[level.upper()], message, pairs))


def progress(fraction: float, message: str = "") -> None:
    """Tells how far the task is: `fraction` is from 0 to 1."""
    _attempt(lambda: _progress.report(fraction, message))


def config(key: str, default: str | None = None) -> str | None:
    """A setting of the manifest's `[config]`."""
    value = _attempt(lambda: _config.get(key))
    return default if value is None else value


def _is_too_deep(document: str) -> bool:
    if document.count("[") + document.count("{") <= NESTING_MAX:
        return False
    depth = 0
    for token in _STRING_OR_BRACKET.finditer(document):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token.group(), 0)
        if depth > NESTING_MAX:
            return True
    return False


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number")


def _attempt(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Err:
        return None


def _to_bytes(result: Result) -> bytes:
    if isinstance(result, bytes):
        return result
    text = result if isinstance(result, str) else _json.dumps(result, ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8")


def _to_task_error(error: Exception) -> TaskError_Permanent | TaskError_Retryable:
    if isinstance(error, Retryable):
        return TaskError_Retryable(Retry(_failure(error.code, error.message, error.details), error.after_ms))
    if isinstance(error, Permanent):
        return TaskError_Permanent(_failure(error.code, error.message, error.details))
    words, trace = f"{type(error).__name__}: {error}", traceback.format_exc()
    log("error", words, {"traceback": trace})
    return TaskError_Retryable(Retry(_failure("exception", words, {"traceback": trace}), None))


def _failure(code: str, message: str, details: Any) -> Failure:
    return Failure(code, message, None if details is None else _json.dumps(details, default=str))
