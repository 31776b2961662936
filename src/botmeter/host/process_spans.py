"""Makes a span of each committed interaction or command that carries a trace. Not used when tracing is off."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from botmeter.contracts.catalogue import JOURNAL
from botmeter.contracts.cloudevents import read_dead_letter
from botmeter.contracts.codec import message_type
from botmeter.contracts.topics import Topics
from botmeter.domain.events import CommandCause, InteractionCause
from botmeter.engine.batch import Commit, Part
from botmeter.engine.traced import Traced
from botmeter.telemetry.trace_context import Processed

if TYPE_CHECKING:
    from botmeter.telemetry.spans import Spans

#: The topic and offset of a record of a part.
_Place = tuple[str, int]
_OF_RECORDS: Final = (InteractionCause, CommandCause)


class ProcessSpans:
    """Makes spans of committed batches: each from before its record was decided to the end of the transaction."""

    def __init__(self, spans: Spans, topics: Topics, group: str) -> None:
        self._spans, self._topics, self._group = spans, topics, group

    def export(self, commit: Commit) -> None:
        """Exports the spans of a committed batch."""
        for part in commit.batch.parts:
            if part.traced:
                events, refused = self._events(part), self._refused(part)
                for traced in part.traced:
                    self._spans.process(self._processed(traced, events, refused, commit.ended_at))

    def _processed(
        self, traced: Traced, events: Mapping[_Place, list[str]], refused: Mapping[_Place, str], ended_at: int
    ) -> Processed:
        record = traced.record
        place = (record.topic(), record.offset())
        return Processed(
            topic=record.topic(),
            partition=record.partition(),
            offset=record.offset(),
            key=record.key(),
            context=traced.context,
            group=self._group,
            began_at=traced.taken_at,
            ended_at=ended_at,
            events=events.get(place, ()),
            error=refused.get(place),
        )

    def _events(self, part: Part) -> Mapping[_Place, list[str]]:
        """Returns the types of the events that each record caused, in order."""
        found: dict[_Place, list[str]] = defaultdict(list)
        for output in part.decided.outputs:
            if output.topic == self._topics.journal.name and output.headers:
                event = JOURNAL.decode(output.value or b"")
                if isinstance(event.cause, _OF_RECORDS):
                    found[event.cause.topic, event.cause.offset].append(message_type(event))
        return found

    def _refused(self, part: Part) -> Mapping[_Place, str]:
        """Returns the reason of each record that became a dead letter."""
        letters = [
            read_dead_letter(list(output.headers))
            for output in part.decided.outputs
            if output.topic == self._topics.dead_letters.name
        ]
        return {(letter.place.topic, letter.place.offset): letter.reason for letter in letters}
