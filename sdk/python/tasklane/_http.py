"""Outbound HTTP: one request, one whole answer. The manifest must ask for it under `[permissions] http`.

Redirects are not followed: they are answers.
"""

import json as _json
from dataclasses import dataclass
from typing import Any, Mapping

from tasklane._host import host


@dataclass(frozen=True)
class Answer:
    """An answer, whatever its status."""

    status: int
    headers: dict[str, str]
    """Names in lower case; several of one name are joined with a comma."""
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether the status is from 200 to 299."""
        return 200 <= self.status < 300

    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8")

    def json(self) -> Any:
        """The body as JSON."""
        return _json.loads(self.body)


def fetch(url: str, method: str = "GET", headers: Mapping[str, str] | None = None, body: bytes | str = b"") -> Answer:
    """Sends a request and waits for the whole answer; `HttpError` when there is none."""
    pairs = [(name.lower(), value.encode("latin-1")) for name, value in (headers or {}).items()]
    content = body.encode("utf-8") if isinstance(body, str) else body
    status, told, received = host().http(method.upper(), url, pairs, content)
    joined: dict[str, str] = {}
    for name, value in told:
        shown = value.decode("latin-1")
        joined[name.lower()] = f"{joined[name.lower()]}, {shown}" if name.lower() in joined else shown
    return Answer(status, joined, received)
