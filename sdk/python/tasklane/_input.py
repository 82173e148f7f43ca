"""Payloads as what a task's annotation says: bytes, text, JSON, dataclasses, or any class with `model_validate` (as pydantic has it)."""

import dataclasses
import enum
import json as _json
import re
import types
import typing
from decimal import Decimal
from typing import Any

from tasklane._errors import PermanentError

NESTING_MAX = 200
"""Deepest list or object in JSON that is read: each level takes stack, and a full stack would end the attempt without words."""
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\Z)|[\[\]{}]', re.DOTALL)
_MISSING = object()


class _Misfit(Exception):
    """A value that is not what it must be, and where it is."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"`{path}`: {why}" if path else f"the input: {why}")


def text(payload: bytes) -> str:
    """The payload as text; a permanent `bad_utf8` if it is none."""
    try:
        return payload.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PermanentError("bad_utf8", f"the payload is no UTF-8 text: byte {error.start} is wrong") from None


def json(payload: bytes, parse_float: Any = str) -> Any:
    """The payload as JSON; a permanent `bad_json` if it is none. Numbers with a point come as `str`, exactly as they are written."""
    document = text(payload)
    if _is_too_deep(document):
        raise PermanentError("bad_json", f"the payload is nested deeper than {NESTING_MAX} levels")
    try:
        return _json.loads(document, parse_float=parse_float, parse_constant=_refuse)
    except ValueError as error:
        raise PermanentError("bad_json", f"the payload is no JSON: {error}") from None


def read(payload: bytes, kind: Any) -> Any:
    """The payload as an annotation says; a permanent `bad_input` that names what does not fit."""
    if kind is bytes:
        return payload
    try:
        # No payload at all is JSON's null, so that a task without input needs none.
        value = json(payload or b"null", parse_float=float)
        return fit(value, kind, "")
    except _Misfit as error:
        raise PermanentError("bad_input", str(error)) from None
    except PermanentError as error:
        raise PermanentError("bad_input", error.message) from None


def fit(value: Any, kind: Any, path: str) -> Any:
    """A value of JSON as a type."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any or kind is object or kind is _MISSING:
        return value
    if kind is None or kind is type(None):
        return _if(value is None, value, path, "must be null")
    if origin is typing.Annotated:
        return fit(value, args[0], path)
    if origin in (typing.Union, types.UnionType):
        return _union(value, args, path)
    if origin is typing.Literal:
        return _if(value in args, value, path, f"must be one of {', '.join(map(repr, args))}")
    if kind is list or origin is list:
        _if(isinstance(value, list), value, path, "must be a list")
        inner = args[0] if args else Any
        return [fit(item, inner, f"{path}[{index}]") for index, item in enumerate(value)]
    if kind is dict or origin is dict:
        _if(isinstance(value, dict), value, path, "must be an object")
        inner = args[1] if len(args) == 2 else Any
        return {key: fit(item, inner, _below(path, key)) for key, item in value.items()}
    if dataclasses.is_dataclass(kind):
        return _dataclass(value, kind, path)
    if hasattr(kind, "model_validate"):
        return _model(value, kind, path)
    return _plain(value, kind, path)


def _plain(value: Any, kind: Any, path: str) -> Any:
    if kind is bool:
        return _if(isinstance(value, bool), value, path, "must be true or false")
    if kind is int:
        return _if(isinstance(value, int) and not isinstance(value, bool), value, path, "must be a whole number")
    if kind in (float, Decimal):
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        _if(is_number, value, path, "must be a number")
        return kind(str(value)) if kind is Decimal else float(value)
    if kind is str:
        return _if(isinstance(value, str), value, path, "must be a text")
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        try:
            return kind(value)
        except ValueError:
            raise _Misfit(path, f"must be one of {', '.join(repr(one.value) for one in kind)}") from None
    raise TypeError(f"a task's input cannot be {kind!r}: take bytes, text, JSON's types, dataclasses, or classes with model_validate")


def _union(value: Any, kinds: tuple[Any, ...], path: str) -> Any:
    misfits = []
    for kind in kinds:
        try:
            return fit(value, kind, path)
        except _Misfit as error:
            misfits.append(error)
    # Where one may be absent, what the other must be says more.
    named = [error for kind, error in zip(kinds, misfits) if kind is not type(None)]
    raise named[0] if len(named) == 1 else _Misfit(path, "is none of what it may be")


def _dataclass(value: Any, kind: Any, path: str) -> Any:
    _if(isinstance(value, dict), value, path, "must be an object")
    hints = typing.get_type_hints(kind, include_extras=True)
    made = {}
    for field in dataclasses.fields(kind):
        if field.name in value:
            made[field.name] = fit(value[field.name], hints[field.name], _below(path, field.name))
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise _Misfit(_below(path, field.name), "is missing")
    try:
        return kind(**made)
    except ValueError as error:
        # What `__post_init__` refuses.
        raise _Misfit(path, str(error)) from None


def _model(value: Any, kind: Any, path: str) -> Any:
    try:
        return kind.model_validate(value)
    except ValueError as error:
        raise _Misfit(path, str(error)) from None


def _below(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _if(fits: bool, value: Any, path: str, otherwise: str) -> Any:
    if not fits:
        raise _Misfit(path, otherwise)
    return value


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
