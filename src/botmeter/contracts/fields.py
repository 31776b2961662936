"""The types of the fields of messages, with their limits."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec
from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from botmeter.domain.cycles import is_time_zone

ID_CHARACTERS_MAX: Final = 256
ADDRESS_CHARACTERS_MAX: Final = 320  # the longest e-mail address
#: Unicode's control characters (Cc).
CONTROL_CHARACTER: Final = re.compile("[\x00-\x1f\x7f-\x9f]")
#: The same as a schema's pattern.
_NO_CONTROL_CHARACTER: Final = "^[^\\u0000-\\u001F\\u007F-\\u009F]+$"


def _without_control_characters(text: str) -> str:
    if CONTROL_CHARACTER.search(text):
        raise PydanticCustomError("control_character", "String should have no control characters")
    return text


def _instant(text: object) -> datetime:
    """Parses a moment exactly as the fast decoder does."""
    if not isinstance(text, str):
        raise PydanticCustomError("instant_type", "Input should be an RFC 3339 timestamp in a string")
    try:
        moment: datetime = msgspec.convert(text, Annotated[datetime, msgspec.Meta(tz=True)])
        moment.astimezone(UTC)
    except (msgspec.ValidationError, OverflowError) as error:
        raise PydanticCustomError(
            "instant", "Input should be an RFC 3339 timestamp with an offset, such as 2026-11-23T10:00:00.000Z"
        ) from error
    return moment


def _anchor(moment: datetime) -> datetime:
    """Checks the anchor of the billing cycles (`A4`), so that a typing error is not accepted as a date."""
    if not 1970 <= moment.astimezone(UTC).year <= 2199:
        raise PydanticCustomError("anchor_range", "The anchor should lie in the years 1970 to 2199")
    return moment


def _time_zone(name: str) -> str:
    if not is_time_zone(name):
        raise PydanticCustomError("time_zone", "Input should be an IANA time zone, such as America/New_York")
    return name


def _ascending(percents: list[int]) -> list[int]:
    return sorted(set(percents))


def _text_schema(characters_max: int) -> WithJsonSchema:
    return WithJsonSchema(
        {"type": "string", "minLength": 1, "maxLength": characters_max, "pattern": _NO_CONTROL_CHARACTER}
    )


Id = Annotated[
    str,
    Field(min_length=1, max_length=ID_CHARACTERS_MAX),
    AfterValidator(_without_control_characters),
    _text_schema(ID_CHARACTERS_MAX),
]
Address = Annotated[
    str,
    Field(min_length=1, max_length=ADDRESS_CHARACTERS_MAX),
    AfterValidator(_without_control_characters),
    _text_schema(ADDRESS_CHARACTERS_MAX),
]
Instant = Annotated[datetime, BeforeValidator(_instant)]
Anchor = Annotated[Instant, AfterValidator(_anchor)]
TimeZone = Annotated[str, Field(max_length=ID_CHARACTERS_MAX), AfterValidator(_time_zone)]
Percents = Annotated[list[Annotated[int, Field(ge=1, le=99)]], Field(max_length=99), AfterValidator(_ascending)]
Packs = Annotated[int, Field(ge=1, le=1_000_000)]
Sessions = Annotated[int, Field(ge=1, le=1_000_000_000)]

#: A moment as botmeter writes it: UTC, milliseconds, `Z`.
Moment = Annotated[
    Instant,
    WithJsonSchema(
        {
            "type": "string",
            "format": "date-time",
            "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z$",
        }
    ),
]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Percent = Annotated[int, Field(ge=1, le=99)]
