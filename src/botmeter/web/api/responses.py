"""Responses of the API: JSON, its ETag, 304; and the parameters that many routes share."""

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
#: The number of rows in a page of a list: by default, and at most.
LIMIT: Final = 50
LIMIT_MAX: Final = 500

AccountId = Annotated[str, Path(min_length=1, max_length=ID_CHARACTERS_MAX, description="The account.")]
Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX, description="The most rows to return.")]
Cursor = Annotated[str | None, Query(max_length=1_000, description="`next_cursor` of the previous response.")]
Cycle = Annotated[int | None, Query(ge=1, le=1_000_000, description="Number of a billing cycle.")]
Since = Annotated[AwareDatetime | None, Query(description="Not before this moment, RFC 3339.")]
Until = Annotated[AwareDatetime | None, Query(description="Before this moment, RFC 3339.")]


def now_ms() -> int:
    """The current time, UTC ms."""
    return time.time_ns() // 1_000_000


def moment_ms(moment: AwareDatetime | None) -> int | None:
    """Converts a parameter to UTC ms."""
    return None if moment is None else millis(moment)


def json_response(value: Any, caller: Access, etag: str | None = None) -> Response:
    """Returns a result of the read side as JSON, without money if the caller may not see it."""
    headers = {} if etag is None else {"ETag": etag, "Vary": "Authorization, Cookie"}
    return Response(json_bytes(value, money=caller.sees_money), media_type=JSON, headers=headers)


def etag_of(freshness: Sequence[Freshness], caller: Access) -> str:
    """Returns the ETag of numbers based on the journal up to these offsets; weak, because lags change with the time."""
    offsets = [(each.topic, each.partition, each.offset) for each in freshness]
    if len(offsets) == 1:
        [(_, partition, offset)] = offsets
        place = f"{partition}-{offset}"
    else:
        place = hashlib.blake2b(repr(offsets).encode(), digest_size=12).hexdigest()
    return f'W/"{place}{"" if caller.sees_money else "-v"}"'


def not_modified(request: Request, etag: str) -> Response | None:
    """Returns 304 when the caller already has this response, else None."""
    known = request.headers.get("If-None-Match", "")
    if etag not in {tag.strip() for tag in known.split(",")}:
        return None
    return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={"ETag": etag, "Vary": "Authorization, Cookie"})
