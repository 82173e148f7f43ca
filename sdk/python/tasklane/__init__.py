"""To write tasks in Python: `@task` on a function that takes a context and an input.

In a module it talks to Tasklane's host; in plain Python to stand-ins (`tasklane.testing`). Guarantees: whatever a task raises becomes an error
of the task with a code and a message; without this it would be a trap.
"""

from tasklane._errors import HostError, HttpError, Permanent, PermanentError, Retryable, RetryableError
from tasklane._http import Answer, fetch
from tasklane._input import json, text
from tasklane._services import Child, Entry, Page, Store, Swapped, config, enqueue, kv, log, progress, secret, sleep
from tasklane._task import Context, task

__all__ = [
    "Answer", "Child", "Context", "Entry", "HostError", "HttpError", "Page", "Permanent", "PermanentError", "Retryable",
    "RetryableError", "Store", "Swapped", "config", "enqueue", "fetch", "json", "kv", "log", "progress", "secret", "sleep",
    "task", "text",
]
