"""A client of Tasklane's REST API, with nothing but Python's standard library.

    tasklane = Tasklane()
    tasklane.run("greet", {"name": "Ada"})

Guarantees: a submit carries an idempotency key, so that trying again after a lost answer submits nothing twice; requests that change nothing, and
those with a key, are tried again after network errors, 429, 502, 503 and 504, no sooner than the server asks; what the server refuses is
a `TasklaneError` with its code and hint.
"""

from __future__ import annotations

import base64
import http.client
import json
import random
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from dataclasses import dataclass
from typing import Any, Iterator, Mapping, Sequence

__all__ = ["Event", "TaskFailed", "Tasklane", "TasklaneError"]

_PASSING = frozenset((429, 502, 503, 504))
"""Statuses that may pass by themselves."""
_PAUSE_MIN, _PAUSE_MAX = 0.1, 10.0
"""Shortest and longest pause before another try, in seconds."""
_LOOK_MIN, _LOOK_MAX = 0.025, 1.0
"""How often an unfinished task is looked at, at first and later, in seconds."""
_WAIT_SECONDS = 30
"""How long the server holds a request that waits for an end."""
_SILENCE_SECONDS = 60.0
"""A feed that says nothing for so long is broken: a quiet one says so every 15 seconds."""
_ENDED = frozenset(("succeeded", "failed", "cancelled", "expired"))
_LOST = (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError)
"""Errors of a request that no answer came to."""


class TasklaneError(Exception):
    """What the server refused, or could not be asked. `code` is one of docs/errors.md, or `unreachable`, or `wait_timeout`."""

    def __init__(self, message: str, status: int | None = None, problem: Mapping[str, Any] | None = None, code: str | None = None) -> None:
        super().__init__(message)
        told = problem or {}
        self.status, self.code, self.hint = status, told.get("code", code), told.get("hint")
        self.errors, self.request_id = list(told.get("errors", [])), told.get("request_id")
        self.retry_after = 0.0


class TaskFailed(Exception):
    """A task that did not succeed."""

    def __init__(self, task: dict[str, Any]) -> None:
        outcome = task.get("outcome") or {}
        why = outcome.get("code") or outcome.get("kind") or task["state"]
        message = f": {outcome['message']}" if outcome.get("message") else ""
        super().__init__(f"task {task['id']} {task['state']} ({why}){message}")
        self.task = task


@dataclass(frozen=True)
class Event:
    """What changed: `hello` first, `tasks` with its data, `resync` where something was missed."""

    event: str
    cursor: str
    data: dict[str, Any]


class Tasklane:
    """A connection to one API. Threads may share it."""

    def __init__(
        self,
        server: str = "http://127.0.0.1:7070",
        *,
        token: str | None = None,
        namespace: str | None = None,
        tries: int = 5,
        timeout: float = 60.0,
    ) -> None:
        self._server, self._namespace, self._tries, self._timeout = server.rstrip("/"), namespace, tries, timeout
        self._headers = {} if token is None else {"authorization": f"Bearer {token}"}
        # A proxy of the environment would be asked for loopback, too.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def submit(self, module: str, payload: Any = None, **options: Any) -> dict[str, Any]:
        """Submits one task. `options` are further fields of a submit (`priority`, `queue`, `delay`, `labels`, …)."""
        return self._post("/api/v1/tasks", self._task(module, payload, options))

    def submit_batch(self, tasks: Sequence[Mapping[str, Any]], on_complete: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Submits tasks together, each a dict with `module`, `payload` and options; they may name each other in `after`."""
        body: dict[str, Any] = {"tasks": [self._request_of(task) for task in tasks]}
        if on_complete is not None:
            body["on_complete"] = self._request_of(on_complete)
        return self._post("/api/v1/tasks/batch", body)

    def run(self, module: str, payload: Any = None, *, timeout: float = 3600.0, **options: Any) -> Any:
        """Submits one task, waits for its end, and gives its result; `TaskFailed` if it did not succeed."""
        accepted = self._post(f"/api/v1/tasks?wait={_WAIT_SECONDS}s", self._task(module, payload, options))
        task = self.wait(accepted["id"], timeout=timeout)
        if task["state"] != "succeeded":
            raise TaskFailed(task)
        return self.result(task["id"])

    def wait(self, id: str, *, timeout: float = 3600.0) -> dict[str, Any]:
        """Waits for a task's end, at most so many seconds."""
        until, look = time.monotonic() + timeout, _LOOK_MIN
        while True:
            task = self.get(id)
            if task["state"] in _ENDED:
                return task
            if time.monotonic() + look > until:
                raise TasklaneError(f"task {id} has not ended within {timeout} s; it goes on", code="wait_timeout")
            time.sleep(look)
            look = min(look * 1.5, _LOOK_MAX)

    def get(self, id: str) -> dict[str, Any]:
        """One task."""
        return json.loads(self.request("GET", f"/api/v1/tasks/{_segment(id)}"))

    def list(self, **query: Any) -> dict[str, Any]:
        """A page of tasks, the newest first; `cursor` of the next one is `next_cursor`."""
        wanted = {**({} if self._namespace is None else {"namespace": self._namespace}), **query}
        return json.loads(self.request("GET", f"/api/v1/tasks?{urllib.parse.urlencode(wanted)}"))

    def result(self, id: str) -> Any:
        """What the task returned: JSON as it is meant, text as text, anything else as bytes."""
        content = self.result_bytes(id)
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            return content
        try:
            return json.loads(text)
        except ValueError:
            return text

    def result_bytes(self, id: str) -> bytes:
        """What the task returned."""
        return self.request("GET", f"/api/v1/tasks/{_segment(id)}/result")

    def logs(self, id: str) -> str:
        """What the task said."""
        return self.request("GET", f"/api/v1/tasks/{_segment(id)}/logs", accept="text/plain").decode("utf-8")

    def cancel(self, id: str) -> dict[str, Any]:
        """Asks for a task's end."""
        return json.loads(self.request("POST", f"/api/v1/tasks/{_segment(id)}/cancel", {}, is_safe=True))

    def events(self, cursor: str | None = None) -> Iterator[Event]:
        """What changes, as it changes. Broken connections are made anew behind the last cursor. Close the iterator to end it."""
        failures = 0
        while True:
            try:
                for event in self._stream(cursor):
                    cursor, failures = event.cursor, 0
                    yield event
            except TasklaneError as error:
                failures += 1
                if (error.status is not None and error.status not in _PASSING) or failures >= self._tries:
                    raise
            time.sleep(_backoff(failures))

    def request(
        self, method: str, path: str, body: Any = None, *, accept: str = "application/json", is_safe: bool | None = None
    ) -> bytes:
        """Any request of the API. `is_safe`: it may be repeated; by default, if it is a GET."""
        repeats = method == "GET" if is_safe is None else is_safe
        tried = 0
        while True:
            tried += 1
            try:
                with self._open(method, path, body, accept, self._timeout) as answer:
                    return answer.read()
            except TasklaneError as error:
                passes = error.status is None or error.status in _PASSING
                if not repeats or not passes or tried >= self._tries:
                    raise
                wait = error.retry_after
            except _LOST as error:
                if not repeats or tried >= self._tries:
                    raise TasklaneError(f"{self._server} broke off its answer: {error}", code="unreachable") from error
                wait = 0.0
            time.sleep(max(_backoff(tried), wait))

    def _open(self, method: str, path: str, body: Any, accept: str, timeout: float) -> Any:
        headers = {**self._headers, "accept": accept}
        data = None
        if body is not None:
            data = json.dumps(body, ensure_ascii=False).encode("utf-8")
            headers["content-type"] = "application/json"
        request = urllib.request.Request(self._server + path, data, headers, method=method)
        try:
            return self._opener.open(request, timeout=timeout)
        except urllib.error.HTTPError as error:
            raise _refused(error) from None
        except _LOST as error:
            raise TasklaneError(f"{self._server} cannot be reached: {error}", code="unreachable") from error

    def _post(self, path: str, body: Any) -> dict[str, Any]:
        return json.loads(self.request("POST", path, body, is_safe=True))

    def _request_of(self, task: Mapping[str, Any]) -> dict[str, Any]:
        options = {key: value for key, value in task.items() if key not in ("module", "payload")}
        return self._task(task["module"], task.get("payload"), options)

    def _task(self, module: str, payload: Any, options: Mapping[str, Any]) -> dict[str, Any]:
        task: dict[str, Any] = {"module": module, **options}
        # A task of which there may be one has a key of its own kind.
        if "unique" not in options:
            task.setdefault("idempotency_key", str(uuid.uuid4()))
        if self._namespace is not None:
            task.setdefault("namespace", self._namespace)
        if isinstance(payload, (bytes, bytearray)):
            task["payload_base64"] = base64.b64encode(payload).decode("ascii")
        elif payload is not None:
            task["payload"] = payload
        return task

    def _stream(self, cursor: str | None) -> Iterator[Event]:
        query = "" if cursor is None else f"?cursor={urllib.parse.quote(cursor, safe='')}"
        fields: dict[str, str] = {}
        try:
            with self._open("GET", f"/api/v1/events{query}", None, "text/event-stream", _SILENCE_SECONDS) as answer:
                for raw in answer:
                    line = raw.decode("utf-8").rstrip("\r\n")
                    if line:
                        name, _, value = line.partition(":")
                        fields[name] = value.removeprefix(" ")
                        continue
                    if "data" in fields:
                        yield Event(fields.get("event", "message"), fields.get("id", ""), json.loads(fields["data"]))
                    fields = {}
        except _LOST as error:
            raise TasklaneError(f"{self._server} broke off the feed: {error}", code="unreachable") from error


def _segment(text: str) -> str:
    return urllib.parse.quote(text, safe="")


def _backoff(tried: int) -> float:
    """Twice as long each time, less a random part, so that many clients do not come back at once."""
    return min(_PAUSE_MIN * 2**tried, _PAUSE_MAX) * random.uniform(0.5, 1.0)


def _refused(error: urllib.error.HTTPError) -> TasklaneError:
    try:
        problem = json.loads(error.read())
        refused = TasklaneError(f"{problem['detail']} ({problem['code']})", error.code, problem)
    except (ValueError, KeyError, TypeError):
        refused = TasklaneError(f"the server answered {error.code}, which is no answer of Tasklane", error.code)
    try:
        refused.retry_after = min(float(error.headers.get("retry-after", 0)), _PAUSE_MAX)
    except ValueError:
        pass
    return refused
