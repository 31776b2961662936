"""What may befall the bytes of a message on its way: for hypothesis."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from hypothesis import strategies as st

#: Values that a careless decoder stumbles over: lone surrogates, numbers and nesting without measure, the calendar's
#: ends, what is no JSON though Python reads it.
HOSTILE: Final = (
    b'"\\ud800"',
    b'"\\udfff\\ud800"',
    b'"\\udc80"',
    b'"\xed\xa0\x80"',
    b'"\xff"',
    b'"\\u0000"',
    b"9" * 30,
    b"-" + b"9" * 400,
    b"9" * 5_000,
    b"18446744073709551616",
    b"-9223372036854775809",
    b"1e999",
    b"-0.0",
    b"1E400",
    b"NaN",
    b"-Infinity",
    b"[" * 3_000,
    b"[" * 500 + b"]" * 500,
    b'{"a":' * 3_000,
    b'{"a":' * 500 + b"0" + b"}" * 500,
    b'"0001-01-01T00:00:00+23:59"',
    b'"9999-12-31T23:59:59.999999-23:59"',
    b'"0000-00-00T00:00:00Z"',
    b'"2026-11-23T10:00:00"',
    b"null",
    b"true",
    b"[]",
    b"{}",
    b"0",
    b"-1",
    b'""',
)
_VALUE: Final = re.compile(rb'(?<=[:\[,])\s*("(?:[^"\\]|\\.)*"|-?[0-9.eE+]+|true|false|null)')


@st.composite
def damaged(draw: st.DrawFn, examples: Sequence[bytes]) -> bytes:
    """A sound message with values replaced, bytes changed, cut or repeated."""
    data = draw(st.sampled_from(examples))
    for _ in range(draw(st.integers(1, 3))):
        data = draw(st.sampled_from((_with_value, _with_bytes, _cut, _repeated)))(draw, data)
    return data


def anything(examples: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """A damaged message, a hostile value alone, or just bytes."""
    return damaged(examples) | st.sampled_from(HOSTILE) | st.binary(max_size=200)


def with_each_value_replaced(data: bytes) -> Iterator[bytes]:
    """Every hostile value in the place of every value."""
    for start, end in _values(data):
        yield from (data[:start] + value + data[end:] for value in HOSTILE)


def _values(data: bytes) -> list[tuple[int, int]]:
    """Where the values of a JSON text are; the whole of what has none."""
    return [match.span(1) for match in _VALUE.finditer(data)] or [(0, len(data))]


def _with_value(draw: st.DrawFn, data: bytes) -> bytes:
    start, end = draw(st.sampled_from(_values(data)))
    return data[:start] + draw(st.sampled_from(HOSTILE)) + data[end:]


def _with_bytes(draw: st.DrawFn, data: bytes) -> bytes:
    start = draw(st.integers(0, len(data)))
    return data[:start] + draw(st.binary(max_size=4)) + data[start + draw(st.integers(0, 4)) :]


def _cut(draw: st.DrawFn, data: bytes) -> bytes:
    return data[draw(st.integers(0, len(data) // 4)) : draw(st.integers(len(data) // 2, len(data)))]


def _repeated(draw: st.DrawFn, data: bytes) -> bytes:
    start = draw(st.integers(0, len(data)))
    end = draw(st.integers(start, len(data)))
    return data[:end] + data[start:end] + data[end:]
