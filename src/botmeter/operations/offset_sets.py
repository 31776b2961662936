"""Encodes sets of offsets as short texts: runs of offsets, each as the gap before it and its length."""

from __future__ import annotations

from base64 import b85decode, b85encode
from collections.abc import Iterable, Iterator
from zlib import compress, decompress


def runs_of(offsets: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yields the first offset and the length of each run of consecutive offsets, ascending."""
    first = length = 0
    for offset in sorted(set(offsets)):
        if length and offset == first + length:
            length += 1
            continue
        if length:
            yield first, length
        first, length = offset, 1
    if length:
        yield first, length


def text_of(offsets: Iterable[int]) -> str:
    """Encodes the set as a text; `offsets_in` decodes it."""
    numbers, end = bytearray(), 0
    for first, length in runs_of(offsets):
        numbers += _varint(first - end) + _varint(length)
        end = first + length
    return b85encode(compress(bytes(numbers), 9)).decode() if numbers else ""


def offsets_in(text: str) -> set[int]:
    """Returns the offsets of a text. Raises ValueError for one that `text_of` did not create."""
    if not text:
        return set()
    try:
        numbers = list(_numbers(decompress(b85decode(text))))
    except Exception as error:
        raise ValueError(f"not a set of offsets: {text!r}") from error
    offsets: set[int] = set()
    end = 0
    for gap, length in zip(numbers[::2], numbers[1::2], strict=True):
        offsets.update(range(end + gap, end + gap + length))
        end += gap + length
    return offsets


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _numbers(data: bytes) -> Iterator[int]:
    number = shift = 0
    for byte in data:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            yield number
            number = shift = 0
