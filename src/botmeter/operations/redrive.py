"""Redrives dead letters: sends each back to its original topic once.

Each batch is one transaction: the records, and in the offsets of the group `<group>-redrive` a note of which dead
letters have been sent so far. A redrive that starts later fences the one that runs, and then reads the note. So a
letter is sent once, despite crashes and parallel redrives; again only on request.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from botmeter.contracts.topics import Topics, partition_of
from botmeter.errors import ConfigurationError
from botmeter.kafka.exactly_once import NOTE_BYTES_MAX, ExactlyOnce, Note, Sent
from botmeter.operations.dead_letters import REDRIVEN_HEADER, Letter
from botmeter.operations.offset_sets import offsets_in, text_of

#: Maximum number of letters in one transaction.
_BATCH_MAX: Final = 500


def group_of(workers_group: str) -> str:
    """Returns the group whose offsets hold the notes; also the transactional id."""
    return f"{workers_group}-redrive"


@dataclass(slots=True)
class Redriven:
    """The offsets of the letters that were sent back, by partition."""

    offsets: defaultdict[int, set[int]] = field(default_factory=lambda: defaultdict(set))

    def has(self, letter: Letter) -> bool:
        """Whether the letter was sent back."""
        return letter.offset in self.offsets[letter.partition]


def redriven_by(notes: Mapping[tuple[str, int], Note]) -> Redriven:
    """Decodes the notes. Raises ConfigurationError for a note that another program wrote."""
    redriven = Redriven()
    for (_, number), note in notes.items():
        try:
            redriven.offsets[number] = offsets_in(note.text)
        except ValueError as error:
            raise ConfigurationError(f"the group of the redriven letters has an unknown note: {error}") from error
    return redriven


def obstacle(letter: Letter, topics: Topics) -> str | None:
    """Returns why a letter can never be sent back; None when it can."""
    if letter.is_truncated:
        return "it was cut to fit the topic: send the record again from its source"
    if letter.source.topic not in (topics.interactions.name, topics.commands.name):
        return f"it came from {letter.source.topic}, which is not an input"
    return None


class Redrive:
    """Sends letters back, at most `rate` a second."""

    def __init__(
        self, producer: ExactlyOnce, topics: Topics, partitions: int, begins: Mapping[int, int], rate: float
    ) -> None:
        """`begins` are the offsets of the first letters that still exist; earlier ones are dropped from the notes."""
        self._producer, self._topics, self._partitions = producer, topics, partitions
        self._begins, self._rate = begins, rate
        topic = topics.dead_letters.name
        self.redriven = redriven_by(producer.notes((topic, number) for number in begins))

    def send(self, letters: Iterable[Letter], on_progress: Callable[[int], None]) -> None:
        """Sends the letters in batches; calls `on_progress` with the number of each. Raises the producer's errors."""
        batch: list[Letter] = []
        size = max(1, min(_BATCH_MAX, int(self._rate)))
        for letter in letters:
            batch.append(letter)
            if len(batch) == size:
                self._send_batch(batch, on_progress)
                batch = []
        if batch:
            self._send_batch(batch, on_progress)

    def _send_batch(self, batch: list[Letter], on_progress: Callable[[int], None]) -> None:
        begun = time.monotonic()
        after = {number: set(self.redriven.offsets[number]) for number in {letter.partition for letter in batch}}
        for letter in batch:
            after[letter.partition].add(letter.offset)
        topic = self._topics.dead_letters.name
        notes = {(topic, number): self._note(number, offsets) for number, offsets in after.items()}
        self._producer.send([self._record_of(letter) for letter in batch], notes)
        self.redriven.offsets.update(after)
        on_progress(len(batch))
        until = begun + len(batch) / self._rate
        while (left_s := until - time.monotonic()) > 0:
            time.sleep(left_s)

    def _note(self, number: int, offsets: set[int]) -> Note:
        kept = {offset for offset in offsets if offset >= self._begins[number]}
        text = text_of(kept)
        if len(text) > NOTE_BYTES_MAX:
            raise ConfigurationError(
                f"partition {number}: the note of the redriven letters is full, because they are too scattered; "
                "redrive all letters of a period of time, not some of them"
            )
        return Note(max(kept, default=0) + 1, text)

    def _record_of(self, letter: Letter) -> Sent:
        """Returns the original record, on the partition of its key, with the header of a redrive."""
        headers = [(name, value) for name, value in letter.headers if name != REDRIVEN_HEADER]
        mark = (REDRIVEN_HEADER, f"{self._topics.dead_letters.name}/{letter.place}".encode())
        key = letter.key
        number = letter.source.partition if key is None else partition_of(key, self._partitions)
        return Sent(letter.source.topic, number, key, letter.value, [*headers, mark])
