"""Dead letters: which record each is about, and whether it holds that record as it came."""

from __future__ import annotations

from typing import Any, NamedTuple

from botmeter.contracts.cloudevents import read_dead_letter
from botmeter.verification.records import Record, headers_of
from botmeter.verification.sequence import Sequence
from botmeter.verification.wire import Identified


class Refused(NamedTuple):
    """A record that cannot be taken, and the reason of the contract."""

    record: Record
    reason: str


class DeadLetterShape:
    """The original's key, value and headers, and the reason. What does not fit the topic is cut and marked."""

    def identify(self, record: Record) -> Identified:
        """By the record it is about, which its headers name."""
        found = read_dead_letter(headers_of(record))
        return Identified(found.place, found.reason, found.subject or "", record)

    def faults(self, message: Refused, record: Record) -> list[str]:
        """Of reason, key, value and original headers."""
        found, wanted = read_dead_letter(headers_of(record)), message.record
        faults = []
        if found.reason != message.reason:
            faults.append(f"the reason is {found.reason}, not {message.reason}")
        for name, original, had in (("key", wanted.key(), record.key()), ("value", wanted.value(), record.value())):
            is_cut = found.is_truncated and original is not None and original.startswith(had or b"")
            if original != had and not is_cut:
                faults.append(f"the {name} is not the record's")
        headers = headers_of(wanted)
        if headers is not None and found.original != headers:
            is_cut = found.is_truncated and found.original == headers[: len(found.original)]
            faults += [] if is_cut else ["the headers are not the record's"]
        return faults

    def encode(self, message: Refused) -> bytes | None:
        """As it came."""
        return message.record.value()


class DeadLetters(Sequence):
    """Those of each input are in order; between the two inputs there is none that could be known."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._last: dict[str, int] = {}

    def _take(self) -> Identified:
        item = super()._take()
        topic, _, offset = item.identity
        if offset < self._last.get(topic, -1):
            self._tell("out_of_order", item, "it comes after a dead letter about a later record")
        self._last[topic] = max(offset, self._last.get(topic, -1))
        return item

    def _compare_passed(self, item: Identified, message: Any, source: str) -> None:
        self._compare(item, message, source)

    def pass_over(self) -> None:
        """As of any sequence, but coming later than expected is no fault."""
        item = self.head()
        wanted = None if item is None else self._missing.pop(item.identity, None)
        if item is None or wanted is None:
            super().pass_over()
        else:
            self._compare(self._take(), *wanted)
