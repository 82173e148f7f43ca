"""Large payloads and results piece by piece: `payload()`, `open_result(of)` and `create()`. In modules only.

Files of Python's own kind: `payload()` and `open_result()` give buffered readers that can seek, `create()` a writer with `finish()`.
Guarantees: pieces are as large as the host takes; a refusal is a `HostError`.
"""

import io
from typing import Any

from wit_world.imports import blobs as _blobs

from tasklane._guest import asked as _asked

_PIECE_BYTES = 256 * 1024
"""Bytes of one piece."""


class _Reader(io.RawIOBase):
    def __init__(self, blob: Any) -> None:
        self._blob, self._size, self._at = blob, blob.size(), 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError("a place before the first byte")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        length = min(len(buffer), _PIECE_BYTES)
        if length == 0 or self._at >= self._size:
            return 0
        piece = _asked(lambda: self._blob.read(self._at, length))
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)


class Writer:
    """A result in the making; without `finish`, it leaves nothing."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def write(self, data: bytes) -> int:
        """Adds bytes, however many."""
        for at in range(0, len(data), _PIECE_BYTES):
            piece = bytes(data[at : at + _PIECE_BYTES])
            _asked(lambda: self._inner.write(piece))
        return len(data)

    def finish(self) -> tuple[str, int]:
        """Makes what was written the task's result, in place of what its function returns; its digest and size."""
        done = _asked(lambda: _blobs.Writer.finish(self._inner))
        return done.digest, done.size


def payload() -> io.BufferedReader:
    """The task's own payload. With `payload = "blob"` in the manifest, the function's input is empty."""
    return io.BufferedReader(_Reader(_asked(_blobs.payload)), _PIECE_BYTES)


def open_result(of: str) -> io.BufferedReader | None:
    """The result of a task that this one waited for, by name or id; None if it ended without one. Needs `blobs = ["read"]`."""
    found = _asked(lambda: _blobs.open_result(of))
    return None if found is None else io.BufferedReader(_Reader(found), _PIECE_BYTES)


def create() -> Writer:
    """Begins the task's result. Needs `blobs = ["write"]`."""
    return Writer(_asked(_blobs.create))
