"""Dead letters: which record each is about, and whether it holds that record as it came."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from botmeter.contracts.cloudevents import REASON_HEADER, TRUNCATED_HEADER, original_headers
from botmeter.verification.records import Record, headers_of
from botmeter.verification.sequence import Sequence
from botmeter.verification.wire import Identified

_ERRORS: Final = "__streams.errors."


class Refused(NamedTuple):
    """A record that cannot be taken, and the reason of the contract."""

    record: Record
    reason: str


class DeadLetterShape:
    """The original's key, value and headers, and the reason. What does not fit the topic is cut and marked."""

    def identify(self, record: Record) -> Identified:
        """By the record it is about, which its headers name; of headers with one name the last counts."""
        last = {name: value.decode("utf-8", "replace") for name, value in headers_of(record) or () if value is not None}
        try:
            topic, partition, offset = (last[f"{_ERRORS}{part}"] for part in ("topic", "partition", "offset"))
            identity = (topic, int(partition), int(offset))
            reason = last[REASON_HEADER]
        except (KeyError, ValueError) as error:
            raise ValueError(f"not the headers of a dead letter: {error}") from error
        return Identified(identity, reason, last.get("ce_subject", ""), record)

    def faults(self, message: Refused, record: Record) -> list[str]:
        """Of reason, key, value and original headers."""
        found = headers_of(record) or []
        ours = dict(found[len(original_headers(found)) :])
        is_cut = ours.get(TRUNCATED_HEADER) == b"true"
        faults = []
        if ours.get(REASON_HEADER) != message.reason.encode():
            faults.append(f"the reason is {ours.get(REASON_HEADER)!r}, not {message.reason}")
        for name, wanted, had in (
            ("key", message.record.key(), record.key()),
            ("value", message.record.value(), record.value()),
        ):
            if wanted != had and not (is_cut and (wanted or b"").startswith(had or b"") and wanted is not None):
                faults.append(f"the {name} is not the record's")
        wanted_headers = headers_of(message.record)
        if wanted_headers is not None:
            kept = original_headers(found)
            if kept != wanted_headers and not (is_cut and kept == wanted_headers[: len(kept)]):
                faults.append("the headers are not the record's")
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
