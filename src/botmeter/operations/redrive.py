"""Sending dead letters back to the topic they came from, each once.

Each batch is one transaction: the records, and in the offsets of the group `<group>-redrive` a note of which dead
letters have been sent back by now. Whoever begins later fences whoever is still at it, and reads the note after that.
So a letter is sent once, whatever crashes and however many try; or again, when that is asked for.
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

#: Most letters of one transaction.
_BATCH_MAX: Final = 500


def group_of(workers_group: str) -> str:
    """The group whose offsets hold the notes; also the transactional id."""
    return f"{workers_group}-redrive"


@dataclass(slots=True)
class Redriven:
    """By partition of the dead letters, the offsets that were sent back."""

    offsets: defaultdict[int, set[int]] = field(default_factory=lambda: defaultdict(set))

    def has(self, letter: Letter) -> bool:
        """Whether the letter was sent back."""
        return letter.offset in self.offsets[letter.partition]


def redriven_by(notes: Mapping[tuple[str, int], Note]) -> Redriven:
    """What the notes say. Raises ConfigurationError for one that another program wrote."""
    found = Redriven()
    for (_, number), note in notes.items():
        try:
            found.offsets[number] = offsets_in(note.text)
        except ValueError as error:
            raise ConfigurationError(f"the group of the redriven letters holds something else: {error}") from error
    return found


def obstacle(letter: Letter, topics: Topics) -> str | None:
    """Why a letter cannot be sent back at all; None when it can."""
    if letter.is_truncated:
        return "it was cut to fit the topic: send the record again from its source"
    if letter.source.topic not in (topics.interactions.name, topics.commands.name):
        return f"it came from {letter.source.topic}, which is no input"
    return None


class Redrive:
    """Sends letters back, at most `rate` a second."""

    def __init__(
        self, producer: ExactlyOnce, topics: Topics, partitions: int, begins: Mapping[int, int], rate: float
    ) -> None:
        """`begins` are the offsets of the first letters that there still are: notes of earlier ones are dropped."""
        self._producer, self._topics, self._partitions = producer, topics, partitions
        self._begins, self._rate = begins, rate
        topic = topics.dead_letters.name
        self.redriven = redriven_by(producer.notes((topic, number) for number in begins))

    def send(self, letters: Iterable[Letter], go_on: Callable[[int], None]) -> None:
        """Sends them in batches, and tells how many after each. Raises what the cluster's fault asks for."""
        batch: list[Letter] = []
        size = max(1, min(_BATCH_MAX, int(self._rate)))
        for letter in letters:
            batch.append(letter)
            if len(batch) == size:
                self._send_batch(batch, go_on)
                batch = []
        if batch:
            self._send_batch(batch, go_on)

    def _send_batch(self, batch: list[Letter], go_on: Callable[[int], None]) -> None:
        begun = time.monotonic()
        after = {number: set(self.redriven.offsets[number]) for number in {letter.partition for letter in batch}}
        for letter in batch:
            after[letter.partition].add(letter.offset)
        notes = {(self._topics.dead_letters.name, number): self._note(number, had) for number, had in after.items()}
        self._producer.send([self._record_of(letter) for letter in batch], notes)
        self.redriven.offsets.update(after)
        go_on(len(batch))
        until = begun + len(batch) / self._rate
        while (left_s := until - time.monotonic()) > 0:
            time.sleep(left_s)

    def _note(self, number: int, offsets: set[int]) -> Note:
        kept = {offset for offset in offsets if offset >= self._begins[number]}
        text = text_of(kept)
        if len(text) > NOTE_BYTES_MAX:
            raise ConfigurationError(
                f"partition {number}: the note of which letters were sent back is full, they lie too scattered; "
                "send all of a stretch of time back, not some of it"
            )
        return Note(max(kept, default=0) + 1, text)

    def _record_of(self, letter: Letter) -> Sent:
        """As it came, on the partition of its key, with the mark."""
        headers = [(name, value) for name, value in letter.headers if name != REDRIVEN_HEADER]
        mark = (REDRIVEN_HEADER, f"{self._topics.dead_letters.name}/{letter.place}".encode())
        key = letter.key
        number = letter.source.partition if key is None else partition_of(key, self._partitions)
        return Sent(letter.source.topic, number, key, letter.value, [*headers, mark])
