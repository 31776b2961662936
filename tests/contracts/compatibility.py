"""Whether a schema is a compatible successor of another: only additions are.

What botmeter writes must be no more than readers of the old schema expect; what it reads, no less than writers of the
old schema may send. Fields that a reader does not know it ignores, as the contract says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

Schema = dict[str, Any]
Direction = Literal["written", "read"]

#: Limits by what a value within the first must be to lie within the second.
_LIMITS: dict[str, Callable[[Any, Any], bool]] = {
    "minimum": lambda narrow, wide: narrow >= wide,
    "minLength": lambda narrow, wide: narrow >= wide,
    "minItems": lambda narrow, wide: narrow >= wide,
    "maximum": lambda narrow, wide: narrow <= wide,
    "maxLength": lambda narrow, wide: narrow <= wide,
    "maxItems": lambda narrow, wide: narrow <= wide,
    "pattern": lambda narrow, wide: bool(narrow == wide),
    "format": lambda narrow, wide: bool(narrow == wide),
}
#: Said in the description of values that readers must expect to become more.
_OPEN = "may be added"


def breaks(old: Schema, new: Schema, direction: Direction) -> list[str]:
    """Every place at which `new` breaks what was built on `old`, and how."""
    return list(_breaks("$", _whole(old, old), _whole(new, new), direction))


def _whole(schema: Any, root: Schema) -> Any:
    """The schema with every reference replaced by what it leads to."""
    if isinstance(schema, list):
        return [_whole(item, root) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _whole(value, root) for key, value in schema.items() if key not in {"$ref", "$defs"}}
    if isinstance(schema.get("$ref"), str):
        return {**_whole(root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root), **found}
    return found


def _breaks(place: str, old: Schema, new: Schema, direction: Direction) -> Iterator[str]:
    narrow, wide = (new, old) if direction == "written" else (old, new)
    alternatives, candidates = _alternatives(narrow), _alternatives(wide)
    if len(alternatives) + len(candidates) > 2:  # values that one side lists at once the other may list apart
        alternatives, candidates = _value_by_value(alternatives), _value_by_value(candidates)
    for alternative in alternatives:
        told = [list(_beyond(place, alternative, candidate, direction)) for candidate in candidates]
        if all(told):
            yield from min(told, key=len) if len(told) == 1 else [f"{place}: {_shape(alternative)} fits none of before"]


def _alternatives(schema: Schema) -> list[Schema]:
    """The shapes of which a value has one; what stands beside them goes for each."""
    for key in ("anyOf", "oneOf"):
        if key in schema:
            rest = {name: value for name, value in schema.items() if name != key}
            return [{**rest, **option} for option in schema[key]]
    return [schema]


def _value_by_value(alternatives: list[Schema]) -> list[Schema]:
    return [
        {**alternative, "enum": [value]} for alternative in alternatives for value in alternative.get("enum", ())
    ] + [alternative for alternative in alternatives if "enum" not in alternative]


def _shape(schema: Schema) -> str:
    return str(schema.get("enum") or schema.get("const") or schema.get("type") or "anything")


def _beyond(place: str, narrow: Schema, wide: Schema, direction: Direction) -> Iterator[str]:
    """How a value may be within `narrow` and not within `wide`; they are new and old, or old and new."""
    if not _is_type_within(narrow.get("type"), wide.get("type")):
        yield f"{place}: its type changed ({narrow.get('type')}, {wide.get('type')})"
        return
    yield from _values_beyond(place, narrow, wide)
    for limit, is_within in _LIMITS.items():
        if limit in wide and (limit not in narrow or not is_within(narrow[limit], wide[limit])):
            yield f"{place}: {limit} changed ({narrow.get(limit)}, {wide[limit]})"
    if "items" in wide:
        yield from _breaks(f"{place}[]", *_old_new(narrow.get("items", {}), wide["items"], direction), direction)
    yield from _fields_beyond(place, narrow, wide, direction)


def _old_new(narrow: Schema, wide: Schema, direction: Direction) -> tuple[Schema, Schema]:
    return (wide, narrow) if direction == "written" else (narrow, wide)


def _is_type_within(narrow: str | None, wide: str | None) -> bool:
    return wide is None or narrow == wide or (narrow, wide) == ("integer", "number")


def _values_beyond(place: str, narrow: Schema, wide: Schema) -> Iterator[str]:
    allowed, possible = _values(wide), _values(narrow)
    if allowed is None or _OPEN in wide.get("description", ""):
        return
    if possible is None:
        yield f"{place}: any value instead of {allowed}"
    elif more := [value for value in possible if value not in allowed]:
        yield f"{place}: {more} beside {allowed}"


def _values(schema: Schema) -> list[Any] | None:
    """All values that are possible; None: too many to list."""
    found: list[Any] | None = [schema["const"]] if "const" in schema else schema.get("enum")
    return found


def _fields_beyond(place: str, narrow: Schema, wide: Schema, direction: Direction) -> Iterator[str]:
    old, new = _old_new(narrow, wide, direction)
    for name in old.get("properties", {}):
        if name in new.get("properties", {}):
            fields = old["properties"][name], new["properties"][name]
            yield from _breaks(f"{place}.{name}", *fields, direction)
        else:
            yield f"{place}.{name}: was removed"
    for name in wide.get("required", []):
        if name not in narrow.get("required", []) and name in new.get("properties", {}):
            yield f"{place}.{name}: " + ("may be missing now" if direction == "written" else "is required now")
