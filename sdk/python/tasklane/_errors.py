"""How a task fails, and how the host refuses."""

from typing import Any


class PermanentError(Exception):
    """An error that no other attempt mends: a short stable code for programs, a message for people, details for JSON."""

    def __init__(self, code: str, message: str, details: Any = None) -> None:
        super().__init__(message)
        self.code, self.message, self.details = code, message, details


class RetryableError(Exception):
    """An error that may pass by itself; not before `after_ms` milliseconds, if given."""

    def __init__(self, code: str, message: str, after_ms: int | None = None, details: Any = None) -> None:
        super().__init__(message)
        self.code, self.message, self.details, self.after_ms = code, message, details, after_ms


Permanent, Retryable = PermanentError, RetryableError


class HostError(Exception):
    """Why a host function did not do it: `access-denied`, `limit-exceeded`, `invalid` or `unavailable`.

    Unhandled, it ends the attempt with its code: `unavailable` is tried again, the others are not.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


class HttpError(Exception):
    """Why a request has no answer; `code` is the name in `wasi:http`. Unhandled, it ends the attempt with the code `http`."""

    _PERMANENT = frozenset((
        "HTTP-request-denied", "destination-IP-prohibited", "HTTP-request-URI-invalid", "HTTP-request-URI-too-long",
        "HTTP-request-method-invalid", "HTTP-request-body-size", "HTTP-response-body-size", "header-error",
    ))

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message

    @property
    def is_permanent(self) -> bool:
        """Whether no other attempt helps."""
        return self.code in self._PERMANENT
