"""Dead letters: which record each is about, and whether it holds that record unchanged."""

from __future__ import annotations

from typing import Any, NamedTuple

from botmeter.contracts.cloudevents import read_dead_letter
from botmeter.verification.records import Record, headers_of
from botmeter.verification.sequence import Sequence
from botmeter.verification.wire import Identified


class Refused(NamedTuple):
    """A record that must become a dead letter, and the contract's reason."""

    record: Record
    reason: str


class DeadLetterShape:
    """Compares the original's key, value and headers, and the reason. The worker cuts and marks what is too large."""

    def identify(self, record: Record) -> Identified:
        """Identifies it by the record it is about, which its headers name."""
        found = read_dead_letter(headers_of(record))
        return Identified(found.place, found.reason, found.subject or "", record)

    def faults(self, message: Refused, record: Record) -> list[str]:
        """The differences in reason, key, value and original headers."""
        found, expected = read_dead_letter(headers_of(record)), message.record
        faults = []
        if found.reason != message.reason:
            faults.append(f"the reason is {found.reason}, not {message.reason}")
        for name, original, held in (
            ("key", expected.key(), record.key()),
            ("value", expected.value(), record.value()),
        ):
            is_cut = found.is_truncated and original is not None and original.startswith(held or b"")
            if original != held and not is_cut:
                faults.append(f"the {name} is not the record's")
        headers = headers_of(expected)
        if headers is not None and found.original != headers:
            is_cut = found.is_truncated and found.original == headers[: len(found.original)]
            faults += [] if is_cut else ["the headers are not the record's"]
        return faults

    def encode(self, message: Refused) -> bytes | None:
        """The value of the original record."""
        return message.record.value()


class DeadLetters(Sequence):
    """Compares dead letters: those of each input are in order; the order between the two inputs cannot be known."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._last: dict[str, int] = {}

    def _take(self) -> Identified:
        item = super()._take()
        topic, _, offset = item.identity
        if offset < self._last.get(topic, -1):
            self._report("out_of_order", item, "it comes after a dead letter about a later record")
        self._last[topic] = max(offset, self._last.get(topic, -1))
        return item

    def _compare_early(self, item: Identified, message: Any, source: str) -> None:
        self._compare(item, message, source)

    def take_unexpected(self) -> None:
        """As of any sequence, but a dead letter later than expected is no difference."""
        item = self.head()
        expected = None if item is None else self._missing.pop(item.identity, None)
        if item is None or expected is None:
            super().take_unexpected()
        else:
            self._compare(self._take(), *expected)
