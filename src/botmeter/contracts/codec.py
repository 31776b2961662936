"""Converts between dataclasses and bytes; the conversion is prepared once per class.

A message is a JSON object: first its `type`, then the fields of the class in their order. A moment, UTC ms in the
program, is RFC 3339 on the wire. A class whose messages have several types has a field `type`; otherwise the type is
the name of the class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import datetime
from operator import attrgetter
from typing import Annotated, Any, Final, Generic, NamedTuple, TypeVar, Union, get_args, get_type_hints

import msgspec

from botmeter.contracts.instants import is_moment, millis, rfc3339
from botmeter.domain.naming import type_name

M = TypeVar("M")
Changes = tuple[tuple[int, Callable[[Any], Any]], ...]

to_json: Final = msgspec.json.Encoder().encode
#: What decoding may raise.
DECODE_ERRORS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_MOMENT: Final = Annotated[datetime, msgspec.Meta(tz=True)]


class Special(NamedTuple):
    """A field with its own conversion: its type on the wire, and functions from the wire and to it."""

    wire: Any
    from_wire: Callable[[Any], Any]
    to_wire: Callable[[Any], Any]


class Codec(Generic[M]):
    """Encodes and decodes the messages of some classes; `what` names them in errors, such as "an alert"."""

    def __init__(
        self,
        classes: Iterable[type[M]],
        what: str,
        special: dict[str, Special] | None = None,
        last: tuple[str, ...] = (),
    ) -> None:
        """`special`: fields with their own conversion. The fields named in `last` are written at the end."""
        special = special or {}
        self._what = what
        self._to_wire = {class_: _to_wire(class_, special, last) for class_ in classes}
        wires = [(class_, type_) for class_ in self._to_wire for type_ in types_of(class_)]
        structs = {_struct(class_, special, type_): (class_, type_) for class_, type_ in wires}
        self._from_wire = {wire: _from_wire(class_, special, type_) for wire, (class_, type_) in structs.items()}
        # The union is made at run time.
        self._decode: Callable[[bytes], Any] = msgspec.json.Decoder(Union[tuple(structs)]).decode  # noqa: UP007

    def encode(self, message: M) -> bytes:
        """Encodes the message as a record's value."""
        return to_json(self._to_wire[type(message)](message))

    def decode(self, value: bytes | None) -> M:
        """Decodes a record's value; unknown fields are ignored.

        Raises ValueError for an unknown type, a missing field or an invalid one.
        """
        try:
            wire = self._decode(value or b"")
        except DECODE_ERRORS as error:
            raise ValueError(f"not {self._what}: {error}") from error
        message: M = self._from_wire[type(wire)](wire)
        return message


class _Typed(msgspec.Struct):
    type: str


_decode_type: Final = msgspec.json.Decoder(_Typed).decode


def type_in(value: bytes | None) -> str:
    """Reads only the `type` of the message in a record's value. Raises ValueError without one."""
    try:
        return _decode_type(value or b"").type
    except DECODE_ERRORS as error:
        raise ValueError(f"not a message: {error}") from error


def message_type(message: object) -> str:
    """Returns the `type` of a message on the wire."""
    return getattr(message, "type", None) or type_name(type(message))


def types_of(class_: type) -> tuple[str, ...]:
    """Returns the types that messages of this class may have on the wire."""
    return get_args(get_type_hints(class_).get("type")) or (type_name(class_),)


def _fields(class_: type) -> dict[str, Field[Any]]:
    """Returns the fields of a class by name, without `type`."""
    return {field.name: field for field in fields(class_) if field.name != "type"}


def _changes(class_: type, names: Iterable[str], special: dict[str, Special], change_of: Any) -> Changes:
    """Returns the positions of the fields that differ on the wire, and the function that converts each."""
    hints = get_type_hints(class_)
    found = ((place, change_of(name, hints[name], special)) for place, name in enumerate(names))
    return tuple((place, change) for place, change in found if change is not None)


def _has_moments(hint: Any) -> bool:
    """Returns whether a field of this type is an object with moments in it."""
    return is_dataclass(hint) and any(is_moment(field.name) for field in fields(hint))


# --- To the wire -----------------------------------------------------------------------------------------------------


def _to_wire(class_: type, special: dict[str, Special], last: tuple[str, ...] = ()) -> Callable[[Any], Any]:
    """Returns a function from a message to a struct for its JSON: faster to make and to encode than a dict."""
    names = (*(name for name in _fields(class_) if name not in last), *last)
    values, changes = attrgetter(*names), _changes(class_, names, special, _value_to_wire)
    types = types_of(class_)
    structs = {type_: _as_written(class_, names, {"tag": type_, "tag_field": "type"}) for type_ in types}
    only = structs[types[0]] if len(types) == 1 else None

    def to_wire(message: Any) -> Any:
        found = list(values(message))
        for place, change in changes:
            found[place] = change(found[place])
        return (only or structs[message.type])(*found)

    return to_wire


def _object_to_wire(class_: type) -> Callable[[Any], Any]:
    """As `_to_wire`, for an object within a message, which has no `type`."""
    names = tuple(_fields(class_))
    values, changes = attrgetter(*names), _changes(class_, names, {}, _value_to_wire)
    struct = _as_written(class_, names, {})

    def to_wire(value: Any) -> Any:
        found = list(values(value))
        for place, change in changes:
            found[place] = change(found[place])
        return struct(*found)

    return to_wire


def _as_written(class_: type, names: Iterable[str], options: dict[str, Any]) -> type[msgspec.Struct]:
    return msgspec.defstruct(class_.__name__, [(name, object) for name in names], gc=False, **options)


def _value_to_wire(name: str, hint: Any, special: dict[str, Special]) -> Callable[[Any], Any] | None:
    """Returns the function from a field's value to the wire; None where the two are the same."""
    if name in special:
        return special[name].to_wire
    if is_moment(name):
        return rfc3339 if hint is int else _rfc3339_or_none
    return _object_to_wire(hint) if _has_moments(hint) else None


def _rfc3339_or_none(ms: int | None) -> str | None:
    return None if ms is None else rfc3339(ms)


# --- From the wire ---------------------------------------------------------------------------------------------------


def _struct(class_: type, special: dict[str, Special], type_: str | None) -> type[msgspec.Struct]:
    """Returns the class as a struct that `type` selects, with moments as they are on the wire."""
    hints = get_type_hints(class_)
    described = [
        (name, _wire_type(name, hints[name], special), *_default(field)) for name, field in _fields(class_).items()
    ]
    tag: Any = {} if type_ is None else {"tag": type_, "tag_field": "type"}
    return msgspec.defstruct(class_.__name__, described, gc=False, kw_only=True, **tag)


def _default(field: Field[Any]) -> tuple[Any, ...]:
    """Returns the value of a field that a record of an older version lacks."""
    return () if field.default is MISSING else (field.default,)


def _wire_type(name: str, hint: Any, special: dict[str, Special]) -> Any:
    if name in special:
        return special[name].wire
    if is_moment(name):
        return _MOMENT if hint is int else _MOMENT | None
    return _struct(hint, {}, None) if _has_moments(hint) else hint


def _from_wire(class_: type, special: dict[str, Special], type_: str | None = None) -> Callable[[Any], Any]:
    """Returns a function from the wire struct to the message."""
    names = tuple(_fields(class_))
    values, changes = attrgetter(*names), _changes(class_, names, special, _value_from_wire)
    every = [field.name for field in fields(class_)]
    type_place = every.index("type") if "type" in every else None

    def from_wire(wire: Any) -> Any:
        found = list(values(wire))
        for place, change in changes:
            found[place] = change(found[place])
        if type_place is not None:
            found.insert(type_place, type_)
        return class_(*found)

    return from_wire


def _value_from_wire(name: str, hint: Any, special: dict[str, Special]) -> Callable[[Any], Any] | None:
    if name in special:
        return special[name].from_wire
    if is_moment(name):
        return millis if hint is int else _millis_or_none
    return _from_wire(hint, {}) if _has_moments(hint) else None


def _millis_or_none(moment: datetime | None) -> int | None:
    return None if moment is None else millis(moment)
