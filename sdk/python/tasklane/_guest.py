"""The host from inside of a module: the interfaces of `wit/`, as `componentize-py` binds them."""

import time
from typing import Any, Callable, TypeVar

import poll_loop  # noqa: F401  (what componentize-py's runtime looks for must be loaded while files can be read)
