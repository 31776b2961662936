"""The headers of a record, also where the client cannot read them."""

from __future__ import annotations

import pytest

from botmeter.metering.records import Header, headers_of, traceparent_of
from botmeter.replay.tape import TapeRecord


def record(headers: list[Header] | None) -> TapeRecord:
    made = TapeRecord("chat.interactions", 0, 0, b"acme", b"{}", 0, [])
    made.set_headers(headers)  # type: ignore[arg-type]  # the client gives None for none
    return made


class Unreadable(TapeRecord):
    """As the client's record whose header has a name that is no UTF-8: it says so once, and then gives holes."""

    __slots__ = ("_was_asked",)

    def headers(self) -> list[Header] | None:
        if not hasattr(self, "_was_asked"):
            self._was_asked = True
            raise SystemError
        return super().headers()


def test_headers_are_those_of_the_record() -> None:
    assert headers_of(record([("a", b"1"), ("b", None)])) == [("a", b"1"), ("b", None)]
    assert headers_of(record(None)) == []


def test_headers_that_cannot_be_read_are_marked_as_cut_however_often_they_are_asked_for() -> None:
    made = Unreadable("chat.interactions", 0, 0, b"acme", b"{}", 0, [("traceparent", b"x")])

    assert [headers_of(made), headers_of(made)] == [[("botmeter_truncated", b"true")]] * 2


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ([], None),
        ([("tracestate", b"x")], None),
        ([("tracestate", b"x"), ("traceparent", b"y")], b"y"),
        ([("traceparent", b"first"), ("traceparent", b"second")], b"first"),
        ([("traceparent", None)], None),
        ([("traceparent", b"")], b""),
        ([("traceparent", b"x" * 256)], b"x" * 256),
        ([("traceparent", b"x" * 257)], None),
    ],
)
def test_the_trace_is_the_first_one_unless_it_cannot_be_one(headers: list[Header], found: bytes | None) -> None:
    assert traceparent_of(record(headers)) == found
