"""Which host there is: Tasklane's, within a module; stand-ins, in plain Python."""

import importlib.util
from functools import cache
from typing import Any


@cache
def host() -> Any:
    """The host. Asked for anew by each call of a service, since a test replaces its world, not the host."""
    if importlib.util.find_spec("wit_world") is None:
        from tasklane._native import Native

        return Native()
    from tasklane._guest import Guest

    return Guest()


# While a module is built its files can be read, later not: what it needs must be loaded by then.
if importlib.util.find_spec("wit_world") is not None:
    host()
