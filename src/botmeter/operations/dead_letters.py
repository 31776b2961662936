"""The dead letters: reading, selecting, and the advice for each reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import datetime
from threading import Event as Flag
from types import TracebackType
from typing import Final, NamedTuple, Self, cast

from botmeter.contracts.cloudevents import OriginalHeaders, Place, read_dead_letter
from botmeter.contracts.instants import millis
from botmeter.kafka import clients, questions
from botmeter.kafka.reader import committed_records
from botmeter.metering.dead_letters import REMEDIES
from botmeter.verification.records import Record, headers_of

#: The header of a redriven record: partition and offset of its dead letter.
REDRIVEN_HEADER: Final = "botmeter_redriven"


class Advice(NamedTuple):
    """What to do about dead letters of one reason."""

    remedy: str
    #: What happens to a letter that is redriven after the remedy.
    prospect: str
    #: Whether the record can be taken then.
    is_hopeful: bool


#: By reason: what happens to a redriven letter, and whether its record can be taken then.
_PROSPECTS: Final[dict[str, tuple[str, bool]]] = {
    "malformed": ("refused again", False),
    "invalid": ("refused again", False),
    "too_large": ("refused again", False),
    "wrong_key": ("refused again", False),
    "wrong_partition": ("goes to its key's partition and is taken", True),
    "in_future": ("taken, once its time has come", True),
    "too_late": ("refused again, unless the limit was raised", False),
    "unknown_account": ("taken, if the account is open now", True),
    "account_closed": ("refused again", False),
    "skipped": ("taken, if the cause is fixed", True),
}
ADVICE: Final = {reason: Advice(REMEDIES[reason], *prospect) for reason, prospect in _PROSPECTS.items()}
UNKNOWN: Final = Advice("see its message", "unknown", is_hopeful=False)


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter; `at` is the broker time of its original record, else that of the letter, UTC ms."""

    partition: int
    offset: int
    at: int
    reason: str
    message: str
    account_id: str
    sender: str
    source: Place
    is_truncated: bool
    key: bytes | None
    value: bytes | None
    #: The headers of the original record.
    headers: OriginalHeaders

    @property
    def place(self) -> str:
        """The letter's name in commands."""
        return f"{self.partition}@{self.offset}"


@dataclass(frozen=True, slots=True)
class Selection:
    """A filter for dead letters; an empty field or None matches all. Times are UTC ms."""

    reasons: frozenset[str] = frozenset()
    account_id: str | None = None
    sender: str | None = None
    since: int | None = None
    until: int | None = None
    places: frozenset[str] = frozenset()

    def takes(self, letter: Letter) -> bool:
        """Whether the letter is selected."""
        return (
            (not self.reasons or letter.reason in self.reasons)
            and (self.account_id is None or letter.account_id == self.account_id)
            and (self.sender is None or letter.sender == self.sender)
            and (self.since is None or letter.at >= self.since)
            and (self.until is None or letter.at < self.until)
            and (not self.places or letter.place in self.places)
        )


class Unreadable(NamedTuple):
    """A record of the topic that botmeter did not write."""

    partition: int
    offset: int


def letter_of(record: Record, sender_header: str) -> Letter | Unreadable:
    """Reads the dead letter in a record; `sender_header` is the original record's header with its sender."""
    headers = headers_of(record) or []
    try:
        content = read_dead_letter(headers)
    except ValueError:
        return Unreadable(record.partition(), record.offset())
    original = dict(content.original)
    return Letter(
        record.partition(),
        record.offset(),
        at=_happened_at(dict(headers), record),
        reason=content.reason,
        message=content.message,
        account_id=content.subject or "",
        sender=(original.get(sender_header) or b"").decode("utf-8", "replace"),
        source=content.place,
        is_truncated=content.is_truncated,
        key=record.key(),
        value=record.value(),
        headers=content.original,
    )


def _happened_at(headers: Mapping[str, bytes | None], record: Record) -> int:
    try:
        return millis(datetime.fromisoformat((headers.get("ce_time") or b"").decode()))
    except (ValueError, TypeError):
        return record.timestamp()[1]


class DeadLetterTopic:
    """Reads the dead letters of one installation."""

    def __init__(self, admin_config: clients.Config, reader_config: clients.Config, topic: str) -> None:
        """Raises ClusterError when the topic does not exist."""
        self._topic = topic
        self._closing = ExitStack()
        self._admin = self._closing.enter_context(clients.make_admin(admin_config))
        self._numbers = range(questions.partitions_of(self._admin, topic))
        self._reader = self._closing.enter_context(clients.make_consumer(reader_config))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closing.close()

    def letters(self, sender_header: str) -> Iterator[Letter | Unreadable]:
        """Yields all letters, partition by partition, up to the first open transaction of each."""
        begins = questions.begin_offsets(self._admin, self._topic, self._numbers)
        ends = questions.stable_offsets(self._admin, self._topic, self._numbers)
        for number in self._numbers:
            chunks = committed_records(self._reader, self._topic, number, begins[number], ends[number], Flag())
            with closing(chunks):
                for chunk in chunks:
                    for record in chunk:
                        yield letter_of(cast("Record", record), sender_header)

    def begins(self) -> dict[int, int]:
        """Returns the offset of the first letter that each partition still has."""
        return questions.begin_offsets(self._admin, self._topic, self._numbers)
