"""What a module exports: `taskctl build` writes an entry that puts the task of the author's file through this."""

import types
from typing import Any

from componentize_py_types import Err
from wit_world import exports

from tasklane import _guest
from tasklane._task import Failed


def handler(module: types.ModuleType) -> type:
    """The handler for the one task of a file."""
    tasks = [found for found in vars(module).values() if hasattr(found, "__tasklane__") and found.__module__ == module.__name__]
    if len(tasks) != 1:
        raise SystemExit(f"{module.__name__}.py must have one function with @task, and has {len(tasks)}")
    run_attempt = tasks[0].__tasklane__

    class Handler(exports.Handler):
        def run(self, ctx: Any, input: bytes) -> bytes:
            try:
                return run_attempt(_guest.context(ctx), input)
            except Failed as failed:
                raise Err(_guest.task_error(failed.failure)) from None

    return Handler
