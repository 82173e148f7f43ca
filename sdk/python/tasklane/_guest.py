"""The host from inside of a module: the interfaces of `wit/`, as `componentize-py` binds them."""

import importlib
import pkgutil
import re
from typing import Any, Callable, TypeVar

import wit_world.imports
from componentize_py_types import Err
from wit_world.imports import config, kv, log, monotonic_clock, outgoing_handler, progress, secrets, streams, tasks

from tasklane._errors import HostError, HttpError
from tasklane._task import Context, Failure



def _module_with(name: str) -> Any:
    """The interface that has a type of this name. Two are called `types`, and what they are bound as depends on the compiler's version."""
    names = (found.name for found in pkgutil.iter_modules(wit_world.imports.__path__))
    modules = (importlib.import_module(f"wit_world.imports.{found}") for found in names)
    return next(module for module in modules if hasattr(module, name))


task_types, http_types = _module_with("TaskError_Permanent"), _module_with("OutgoingRequest")

_T = TypeVar("_T")
_CODES = {
    "AccessDenied": "access-denied",
    "LimitExceeded": "limit-exceeded",
    "Invalid": "invalid",
    "Unavailable": "unavailable",
}
_WRITE_BYTES, _READ_BYTES = 4096, 64 * 1024
"""Bytes that are written, and read, at once."""
_WORDS = {"Http": "HTTP", "Tls": "TLS", "Dns": "DNS", "Ip": "IP", "Uri": "URI"}
"""Parts of names in `wasi:http` that stay in capitals."""


def asked(call: Callable[[], _T]) -> _T:
    """Calls the host; its refusal is a `HostError`."""
    try:
        return call()
    except Err as refusal:
        code = _CODES.get(type(refusal.value).__name__.rpartition("_")[2], "unavailable")
        raise HostError(code, str(getattr(refusal.value, "value", refusal.value))) from None


def context(ctx: Any) -> Context:
    """The host's context in the SDK's words."""
    return Context(
        ctx.task_id, ctx.attempt, ctx.max_attempts, ctx.module, ctx.version, ctx.queue, ctx.priority, ctx.time_left_ms
    )


def task_error(failure: Failure) -> Any:
    """A failed attempt in the host's words."""
    told = task_types.Failure(failure.code, failure.message, failure.details)
    if failure.retryable:
        return task_types.TaskError_Retryable(task_types.Retry(told, failure.after_ms))
    return task_types.TaskError_Permanent(told)


class Guest:
    """What `tasklane._host.host` gives in a module."""

    def log(self, level: str, message: str, fields: list[tuple[str, str]]) -> None:
        try:
            log.write(log.Level[level.upper()], message, [log.Field(key, value) for key, value in fields])
        except Err:
            pass  # What the host does not take is no reason to fail.

    def progress(self, fraction: float, message: str) -> None:
        try:
            progress.report(fraction, message)
        except Err:
            pass

    def config(self, key: str) -> str | None:
        return asked(lambda: config.get(key))

    def secret(self, name: str) -> bytes | None:
        found = asked(lambda: secrets.get(name))
        return None if found is None else asked(found.reveal)

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            monotonic_clock.subscribe_duration(int(seconds * 1e9)).block()

    def enqueue(self, children: list[tuple[str, str, bytes, str]]) -> list[str]:
        return asked(lambda: tasks.enqueue([tasks.Child(*child) for child in children]))

    def kv_get(self, store: str, key: str) -> tuple[bytes, str] | None:
        return _entry(asked(lambda: kv.get(store, key)))

    def kv_set(self, store: str, key: str, value: bytes, ttl_ms: int | None) -> str:
        return asked(lambda: kv.set(store, key, value, ttl_ms))

    def kv_compare_and_set(self, store: str, key: str, expected: str | None, value: bytes | None, ttl_ms: int | None) -> Any:
        wanted = kv.Expected_Absent() if expected is None else kv.Expected_Revision(expected)
        swapped = asked(lambda: kv.compare_and_set(store, key, wanted, value, ttl_ms))
        if isinstance(swapped, kv.Swapped_Done):
            return True, swapped.value, None
        return False, None, _entry(swapped.value)

    def kv_increment(self, store: str, key: str, by: int, ttl_ms: int | None) -> str:
        return asked(lambda: kv.increment(store, key, by, ttl_ms))

    def kv_delete(self, store: str, key: str) -> bool:
        return asked(lambda: kv.delete(store, key))

    def kv_list_keys(self, store: str, prefix: str, after: str | None, limit: int) -> tuple[list[str], str | None]:
        page = asked(lambda: kv.list_keys(store, prefix, after, limit))
        return page.keys, page.next

    def http(self, method: str, url: str, headers: list[tuple[str, bytes]], body: bytes) -> Any:
        request = _request(method, url, headers, body)
        outgoing = request.body()
        answered = _coded(lambda: outgoing_handler.handle(request, None))
        _send(outgoing, body)
        while (got := answered.get()) is None:
            with answered.subscribe() as ready:
                ready.block()
        inner = got.value
        if isinstance(inner, Err):
            raise _refused(inner.value)
        return _receive(inner.value)


def _entry(entry: Any) -> tuple[bytes, str] | None:
    return None if entry is None else (entry.value, entry.revision)


def _request(method: str, url: str, headers: list[tuple[str, bytes]], body: bytes) -> Any:
    match = re.match(r"([a-zA-Z][a-zA-Z0-9+.-]*)://([^/?#]+)([^#]*)", url)
    if match is None:
        raise HttpError("HTTP-request-URI-invalid", f"`{url}` is no absolute URL")
    scheme, authority, rest = match.groups()
    pairs = headers + ([("content-length", str(len(body)).encode())] if body else [])
    try:
        fields = http_types.Fields.from_list(pairs)
    except Err as error:
        raise HttpError("header-error", f"a header cannot be sent: {error.value}") from None
    request = http_types.OutgoingRequest(fields)
    path = rest if rest.startswith("/") else f"/{rest}"
    try:
        request.set_method(_method(method))
        request.set_scheme(_scheme(scheme.lower()))
        request.set_authority(authority)
        request.set_path_with_query(path)
    except Err:
        raise HttpError("HTTP-request-URI-invalid", f"`{method} {url}` is no request") from None
    return request


def _method(name: str) -> Any:
    known = getattr(http_types, f"Method_{name.capitalize()}", None)
    return known() if known is not None and name != "OTHER" else http_types.Method_Other(name)


def _scheme(name: str) -> Any:
    if name == "http":
        return http_types.Scheme_Http()
    return http_types.Scheme_Https() if name == "https" else http_types.Scheme_Other(name)


def _send(outgoing: Any, body: bytes) -> None:
    """A server may answer before it has read everything, or the host refuse: the answer then says why."""
    try:
        with outgoing.write() as stream:
            for at in range(0, len(body), _WRITE_BYTES):
                stream.blocking_write_and_flush(body[at : at + _WRITE_BYTES])
    except Err:
        return
    _coded(lambda: http_types.OutgoingBody.finish(outgoing, None))


def _receive(answer: Any) -> Any:
    with answer.headers() as fields:
        status, headers = answer.status(), fields.entries()
    incoming = answer.consume()
    pieces = []
    with incoming.stream() as stream:
        while True:
            try:
                pieces.append(stream.blocking_read(_READ_BYTES))
            except Err as ended:
                if isinstance(ended.value, streams.StreamError_Closed):
                    break
                message = ended.value.value.to_debug_string()
                # Hosts tell the body's errors only in words.
                is_size = "BodySize" in message or "body size" in message
                raise HttpError("HTTP-response-body-size" if is_size else "HTTP-response-incomplete", message) from None
    http_types.IncomingBody.finish(incoming)
    return status, headers, b"".join(pieces)


def _coded(call: Callable[[], _T]) -> _T:
    try:
        return call()
    except Err as error:
        raise _refused(error.value) from None


def _refused(error: Any) -> HttpError:
    """`ErrorCode_HttpRequestDenied` is `HTTP-request-denied`."""
    words = re.findall(r"[A-Z][a-z]*", type(error).__name__.rpartition("_")[2])
    code = "-".join(_WORDS.get(word, word.lower()) for word in words)
    detail = getattr(error, "value", None)
    return HttpError(code, "the host made no such request" if detail is None else str(detail))
