"""Lists as CSV and NDJSON, streamed row by row, so that their length does not matter."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from fastapi import Query, Request
from fastapi.responses import Response, StreamingResponse

from botmeter.web.api.wire import encoded, json_bytes

CSV: Final = "text/csv"
NDJSON: Final = "application/x-ndjson"
Format = Annotated[
    Literal["json", "csv", "ndjson"] | None,
    Query(description="The format of the rows; default: the one `Accept` names, else JSON."),
]
#: The number of rows that are sent together.
_CHUNK_ROWS: Final = 500
#: A spreadsheet reads a cell with such a beginning as a formula; a leading quotation mark makes it text.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Table:
    """A format of rows."""

    media_type: str
    ending: str

    def response(
        self, rows: Iterable[Any], columns: Sequence[str], name: str, etag: str | None = None, *, money: bool = True
    ) -> Response:
        """Returns the rows in these columns as a file. A row is a result of the read side or a mapping."""
        plain = (_flat(encoded(row, money=money)) for row in rows)
        body = _csv(plain, columns) if self.media_type == CSV else _ndjson(plain)
        safe = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in name)
        headers = {"Content-Disposition": f'attachment; filename="{safe}.{self.ending}"'}
        if etag is not None:
            headers |= {"ETag": etag, "Vary": "Accept, Authorization, Cookie"}
        return StreamingResponse(body, media_type=f"{self.media_type}; charset=utf-8", headers=headers)


_TABLES: Final = {"csv": Table(CSV, "csv"), "ndjson": Table(NDJSON, "ndjson")}


def wanted_format(request: Request, named: str | None) -> Table | None:
    """Returns the format that the caller requests; None: JSON."""
    if named is not None:
        return _TABLES.get(named)
    accepted = request.headers.get("Accept", "")
    return next((table for table in _TABLES.values() if table.media_type in accepted), None)


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """Returns the row without nesting: `cause.offset` for the offset of its cause."""
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{inner}": item for inner, item in _flat(value).items()}
        else:
            flat[name] = value
    return flat


def _ndjson(rows: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    chunk: list[bytes] = []
    for row in rows:
        chunk += json_bytes(row), b"\n"
        if len(chunk) >= 2 * _CHUNK_ROWS:
            yield b"".join(chunk)
            chunk.clear()
    yield b"".join(chunk)


def _csv(rows: Iterator[dict[str, Any]], columns: Sequence[str]) -> Iterator[bytes]:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([_cell(name) for name in columns])
    for number, row in enumerate(rows, start=1):
        writer.writerow([_cell(row.get(name)) for name in columns])
        if number % _CHUNK_ROWS == 0:
            yield _drained(text)
    yield _drained(text)


def _drained(text: io.StringIO) -> bytes:
    chunk = text.getvalue().encode()
    text.seek(0)
    text.truncate()
    return chunk


def _cell(value: Any) -> Any:
    """Returns the value as a cell. Text from topics must not become a formula in a spreadsheet."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else value
