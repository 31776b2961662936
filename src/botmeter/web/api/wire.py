"""Encodes results of the read side as JSON: the same names, times as RFC 3339, no money for callers who may not see it.

The models in OpenAPI are made from the read side's own classes, so a new field of a result needs one change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import lru_cache
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from pydantic import BaseModel, Field, create_model

from botmeter.contracts.fields import Moment
from botmeter.contracts.instants import is_moment, rfc3339
from botmeter.readside.results import Money
from botmeter.web.seal import Seal

#: Encodes a value that consists of JSON values only.
plain_json: Final = msgspec.json.Encoder().encode
#: Moments whose names do not end in `_at`.
_OTHER_MOMENTS: Final = frozenset({"since", "until"})
#: The names of money among the journal's own fields, where these are passed on.
_MONEY_IN_DETAIL: Final = frozenset({"charge", "amount_minor", "currency"})
_MONEY_NOTE: Final = "Left out for viewers."


def json_bytes(value: Any, *, money: bool = True) -> bytes:
    """Returns the value as JSON."""
    return plain_json(encoded(value, money=money))


def encoded(value: Any, *, money: bool) -> Any:
    """Returns the value as JSON values; without `money`, every amount is left out."""
    if is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: _named(field.name, getattr(value, field.name), money=money)
            for field in fields(value)
            if money or not _is_money(value, field.name)
        }
    if isinstance(value, Mapping):
        return {
            name: encoded(item, money=money) for name, item in value.items() if money or name not in _MONEY_IN_DETAIL
        }
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [encoded(item, money=money) for item in value]
    return value


def _named(name: str, value: Any, *, money: bool) -> Any:
    if _is_named_moment(name) and isinstance(value, int):
        return rfc3339(value)
    return encoded(value, money=money)


def _is_money(instance: Any, name: str) -> bool:
    class_: type = type(instance)
    return name in _money_fields(class_)


@lru_cache
def _money_fields(class_: type) -> frozenset[str]:
    hints = get_type_hints(class_).items()
    return frozenset(name for name, hint in hints if {Money, Seal} & {hint, *get_args(hint)})


def _is_named_moment(name: str) -> bool:
    return is_moment(name) or name in _OTHER_MOMENTS


def columns_of(class_: type, *, money: bool) -> list[str]:
    """Returns the names of a class's values without nesting, such as `cause.offset`; the same for every instance."""
    columns: list[str] = []
    for name, hint in get_type_hints(class_).items():
        if not money and name in _money_fields(class_):
            continue
        nested = next((inner for inner in (hint, *get_args(hint)) if is_dataclass(inner)), None)
        if isinstance(nested, type):
            columns += [f"{name}.{inner}" for inner in columns_of(nested, money=money)]
        else:
            columns.append(name)
    return columns


@lru_cache
def model_of(class_: type) -> type[BaseModel]:
    """Returns the model of `encoded(instance)`, for OpenAPI."""
    money = _money_fields(class_)
    wire_fields: dict[str, Any] = {}
    for name, hint in get_type_hints(class_).items():
        type_ = _wire_type(hint, is_a_moment=_is_named_moment(name))
        if name in money:
            wire_fields[name] = (Annotated[type_ | None, Field(description=_MONEY_NOTE)], None)
        else:
            wire_fields[name] = (type_, ...)
    return create_model(class_.__name__, __doc__=class_.__doc__, **wire_fields)


def _wire_type(hint: Any, *, is_a_moment: bool) -> Any:
    if hint is int and is_a_moment:
        return Moment
    if is_dataclass(hint) and isinstance(hint, type):
        return model_of(hint)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType}:
        types = tuple(a if a is NoneType else _wire_type(a, is_a_moment=is_a_moment) for a in arguments)
        return Union[types]  # noqa: UP007 - made at run time
    if origin is Literal or origin is None:
        return hint
    if issubclass(origin, Mapping):
        return dict[str, Any]
    if issubclass(origin, tuple) and arguments[-1] is not Ellipsis:
        return list[Any]
    return list[_wire_type(arguments[0], is_a_moment=is_a_moment)]  # type: ignore[misc]
