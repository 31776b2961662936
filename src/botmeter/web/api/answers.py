"""How the API answers: JSON, its ETag, 304, and the parameters that many routes share."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import Path, Query, Request
from fastapi.responses import Response
from pydantic import AwareDatetime

from botmeter.contracts.fields import ID_CHARACTERS_MAX
from botmeter.contracts.instants import millis
from botmeter.readside.results import Freshness
from botmeter.web.access.roles import Access
from botmeter.web.api.wire import json_bytes

JSON: Final = "application/json"
#: How many rows a page of a list has by default, and at most.
LIMIT: Final = 50
LIMIT_MAX: Final = 500

AccountId = Annotated[str, Path(min_length=1, max_length=ID_CHARACTERS_MAX, description="The account.")]
Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX, description="Most rows of the answer.")]
Cursor = Annotated[str | None, Query(max_length=1_000, description="`next_cursor` of the answer before.")]
Cycle = Annotated[int | None, Query(ge=1, le=1_000_000, description="Number of a billing cycle.")]
Since = Annotated[AwareDatetime | None, Query(description="Not before this moment, RFC 3339.")]
Until = Annotated[AwareDatetime | None, Query(description="Before this moment, RFC 3339.")]


def now_ms() -> int:
    """This moment, UTC ms."""
    return time.time_ns() // 1_000_000


def moment_ms(moment: AwareDatetime | None) -> int | None:
    """UTC ms of a parameter."""
    return None if moment is None else millis(moment)


def answer(value: Any, caller: Access, etag: str | None = None) -> Response:
    """What the read side answered, as the caller may see it."""
    headers = {} if etag is None else {"ETag": etag, "Vary": "Authorization, Cookie"}
    return Response(json_bytes(value, money=caller.sees_money), media_type=JSON, headers=headers)


def etag_of(freshness: Sequence[Freshness], caller: Access) -> str:
    """The ETag of numbers that rest on the journal up to these offsets; weak, because lags are told as of now."""
    told = [(each.topic, each.partition, each.offset) for each in freshness]
    if len(told) == 1:
        [(_, partition, offset)] = told
        place = f"{partition}-{offset}"
    else:
        place = hashlib.blake2b(repr(told).encode(), digest_size=12).hexdigest()
    return f'W/"{place}{"" if caller.sees_money else "-v"}"'


def not_modified(request: Request, etag: str) -> Response | None:
    """304 when the caller has this answer already."""
    known = request.headers.get("If-None-Match", "")
    if etag not in {tag.strip() for tag in known.split(",")}:
        return None
    return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={"ETag": etag, "Vary": "Authorization, Cookie"})
