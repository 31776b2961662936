"""Sets of offsets as short texts: runs of offsets, each as the gap before it and its length."""

from __future__ import annotations

from base64 import b85decode, b85encode
from collections.abc import Iterable, Iterator
from zlib import compress, decompress


def runs_of(offsets: Iterable[int]) -> Iterator[tuple[int, int]]:
    """The first offset and the length of each run of offsets that follow each other, ascending."""
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
    """The set as a text; `offsets_in` gives it back."""
    numbers, end = bytearray(), 0
    for first, length in runs_of(offsets):
        numbers += _varint(first - end) + _varint(length)
        end = first + length
    return b85encode(compress(bytes(numbers), 9)).decode() if numbers else ""


def offsets_in(text: str) -> set[int]:
    """The offsets of a text. Raises ValueError for one that `text_of` did not make."""
    if not text:
        return set()
    try:
        numbers = list(_numbers(decompress(b85decode(text))))
    except Exception as error:
        raise ValueError(f"not a set of offsets: {text!r}") from error
    found: set[int] = set()
    end = 0
    for gap, length in zip(numbers[::2], numbers[1::2], strict=True):
        found.update(range(end + gap, end + gap + length))
        end += gap + length
    return found


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def _numbers(data: bytes) -> Iterator[int]:
    number = shift = 0
    for byte in data:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            yield number
            number = shift = 0
