"""Tapes: records as lines of a file, run through the worker's own pure step."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Annotated, Final

import msgspec

from botmeter.contracts.instants import millis
from botmeter.contracts.rules import WireRules, with_key
from botmeter.contracts.topics import Topics, partition_of
from botmeter.domain.prices import Rules
from botmeter.errors import ConfigurationError
from botmeter.metering.pipeline import Decided, Meter
from botmeter.metering.records import LOG_APPEND_TIME, Header, Output
from botmeter.metering.state import PartitionState
from botmeter.metering.store import MemoryStore, StoreMark, StoreUpdate

_Moment = Annotated[datetime, msgspec.Meta(tz=True)]
#: A tape runs in one process's memory anyway; no window is evicted below this number.
_CACHE_WINDOWS = 1_000_000
_FOR_EVER_MS: Final = 1 << 62
#: The years that a broker's clock may show. Cycles extend beyond its time, and Python's calendar ends with 9999.
_FIRST_YEAR: Final = 1970
_LAST_YEAR: Final = 9_990


class _Line(msgspec.Struct):
    """One line: a record, a tick of the timer, or the rules from here on."""

    topic: str | None = None
    key: str | None = None
    timestamp: _Moment | None = None
    value: msgspec.Raw = msgspec.Raw(b"null")
    headers: dict[str, str] = {}
    partition: int | None = None
    offset: int | None = None
    #: Why a person had the record skipped.
    skipped: str | None = None
    tick: _Moment | None = None
    rules: WireRules | None = None


class TapeRecord:
    """A record of a tape, with the interface of the Kafka client's messages."""

    __slots__ = ("_at", "_headers", "_key", "_offset", "_partition", "_topic", "_value")

    def __init__(
        self,
        topic: str,
        partition: int,
        offset: int,
        key: bytes | None,
        value: bytes | None,
        at: int,
        headers: list[Header],
    ) -> None:
        self._topic, self._partition, self._offset = topic, partition, offset
        self._key, self._value, self._at, self._headers = key, value, at, headers

    def topic(self) -> str:
        """The topic's name."""
        return self._topic

    def partition(self) -> int:
        """The partition's number."""
        return self._partition

    def offset(self) -> int:
        """The offset, as written or as counted."""
        return self._offset

    def key(self) -> bytes | None:
        """The key's bytes."""
        return self._key

    def value(self) -> bytes | None:
        """The value's bytes."""
        return self._value

    def timestamp(self) -> tuple[int, int]:
        """The broker's time, UTC ms."""
        return LOG_APPEND_TIME, self._at

    def headers(self) -> list[Header] | None:
        """The headers, if any."""
        return self._headers

    def set_headers(self, value: list[Header]) -> None:
        """Replaces the headers."""
        self._headers = value


class _Place:
    """A partition of the tape: its meter, and the store with its windows and chats."""

    def __init__(self, meter: Meter, store: MemoryStore) -> None:
        self.meter, self.store = meter, store

    def committed(self, decided: Decided) -> list[Output]:
        """Stores the changes of one line's micro-batch and returns its outputs."""
        mark = StoreMark(journal_offset=0, snapshot_floor=0, topic_id="", written_at=0)
        self.store.write(StoreUpdate({}, decided.changes.windows, decided.changes.chats, mark))
        return decided.outputs


class Tape:
    """Runs lines one by one, each as a micro-batch.

    A line without a partition belongs to its account's partition, and a partition that a line names is checked against
    the key. So an account has one partition, whichever of its lines name it.
    """

    #: Session starts never expire, so that later rules may have longer limits; an expired start covers nothing anyway.
    _KEEPING_ALL_STARTS: Final = Rules(late_limit_ms=_FOR_EVER_MS)

    def __init__(self, topics: Topics, rules: Rules, partitions: int) -> None:
        self._topics, self._rules, self._partitions = topics, rules, partitions
        self._settings = rules
        #: The next offset of each topic and partition, for lines that name none.
        self._next_offsets: defaultdict[tuple[str, int], int] = defaultdict(int)
        self._places: dict[int, _Place] = {}
        #: The partition of each key.
        self._homes: dict[bytes | None, int] = {}
        #: For records on a partition that is not their key's.
        self._strays: dict[int, _Place] = {}
        self._decoder = msgspec.json.Decoder(_Line)

    def run(self, lines: Iterable[bytes]) -> Iterator[Output]:
        """The outputs of each line, in the order in which the worker would produce them.

        Raises ConfigurationError, which names the line's number, for a line that is no record, tick or rules.
        """
        for number, text in enumerate(lines, start=1):
            if not text.strip():
                continue
            line = self._line(text, number)
            if line.rules is not None:
                self._follow_rules(with_key(line.rules.rules(), self._settings))
            elif line.tick is not None:
                yield from self._tick(_broker_time(line.tick, number))
            else:
                record = self._record(line, number)
                yield from self._take(record, self._place(line.partition, record.key()), line.skipped)

    def _line(self, text: bytes, number: int) -> _Line:
        try:
            return self._decoder.decode(text)
        except msgspec.ValidationError as error:
            raise ConfigurationError(f"line {number} of the tape cannot be read: {error}") from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return _line_with_any_bytes(text, number)

    def _record(self, line: _Line, number: int) -> TapeRecord:
        inputs = (self._topics.interactions.name, self._topics.commands.name)
        if line.topic not in inputs:
            raise ConfigurationError(f"line {number} of the tape: topic is {line.topic!r}, not {' or '.join(inputs)}")
        if line.timestamp is None:
            raise ConfigurationError(f"line {number} of the tape has no timestamp")
        at = _broker_time(line.timestamp, number)
        partition = line.partition or 0
        place = (line.topic, partition)
        offset = self._next_offsets[place] if line.offset is None else line.offset
        self._next_offsets[place] = offset + 1
        try:
            key = None if line.key is None else _bytes(line.key)
            headers: list[Header] = [(name, _bytes(value)) for name, value in line.headers.items()]
            value = _raw(line.value)
        except UnicodeEncodeError as error:
            raise ConfigurationError(f"line {number} of the tape cannot be read: {error}") from None
        return TapeRecord(line.topic, partition, offset, key, value, at, headers)

    def _place(self, named: int | None, key: bytes | None) -> _Place:
        """The partition in which a record is decided; `named` is the one its line names."""
        if named is not None and key is not None and partition_of(key, self._partitions) != named:
            return self._get_or_create(self._strays, named, self._partitions)
        return self._get_or_create(self._places, self._homes.setdefault(key, named or 0), None)

    def _get_or_create(self, places: dict[int, _Place], partition: int, checked_against: int | None) -> _Place:
        if partition not in places:
            store = MemoryStore()
            state = PartitionState(store, self._KEEPING_ALL_STARTS, _CACHE_WINDOWS)
            meter = Meter(partition, checked_against, state, self._topics, self._rules, next_offset=0)
            places[partition] = _Place(meter, store)
        return places[partition]

    def _follow_rules(self, rules: Rules) -> None:
        """Decides by these rules from here on (`C5`)."""
        self._rules = rules
        for place in (*self._places.values(), *self._strays.values()):
            place.meter.follow_rules(rules)

    def _take(self, record: TapeRecord, place: _Place, skipped: str | None) -> list[Output]:
        place.meter.skipped = {} if skipped is None else {(record.topic(), record.offset()): skipped}
        with place.meter.batch() as decided:
            self._take_by(place.meter, record)
        return place.committed(decided)

    def _take_by(self, meter: Meter, record: TapeRecord) -> None:
        if record.topic() == self._topics.interactions.name:
            meter.take_interactions([record])
            # A record of another partition's key also counts as taken before the partition's next records (J4).
            self._get_or_create(self._places, record.partition(), None).meter.next_offset = record.offset() + 1
        else:
            meter.take_command(record)

    def _tick(self, at: int) -> Iterator[Output]:
        for place in self._places.values():
            with place.meter.batch() as decided:
                while place.meter.state.is_due(at):
                    place.meter.tick(at)
            yield from place.committed(decided)


def _line_with_any_bytes(text: bytes, number: int) -> _Line:
    """A line whose strings hold bytes that are no UTF-8, as lone surrogates, which msgspec rejects."""
    try:
        fields = json.loads(text)
        value = fields.pop("value", None)
        line = msgspec.convert(fields, _Line)
    except (ValueError, AttributeError, RecursionError) as error:
        raise ConfigurationError(f"line {number} of the tape cannot be read: {error}") from None
    line.value = msgspec.Raw(json.dumps(value).encode())
    return line


def _raw(value: msgspec.Raw) -> bytes | None:
    """The record's bytes: a JSON string holds raw bytes, null means no value, any other JSON is the value itself."""
    text = bytes(value)
    if text == b"null":
        return None
    if text.startswith(b'"'):
        return _bytes(json.loads(text))
    return text


def _broker_time(moment: datetime, number: int) -> int:
    """UTC ms of a moment on a broker's clock. Raises ConfigurationError for a year that no broker's clock shows."""
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise ConfigurationError(f"line {number} of the tape: the year {moment.year} is none of a broker's clock")
    return millis(moment)


def _bytes(text: str) -> bytes:
    """The bytes that a string of a tape stands for. Raises UnicodeEncodeError where it stands for none."""
    return text.encode("utf-8", "surrogateescape")


def output_line(output: Output) -> bytes:
    """An output as a line of JSON: `topic`, `key`, `headers` as an object of strings, `value`."""
    headers = {name: _text(value) for name, value in output.headers}
    head = json.dumps({"topic": output.topic, "key": _text(output.key), "headers": headers})
    return f'{head[:-1]}, "value": {_value(output.value)}}}\n'.encode()


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "surrogateescape")


def _value(value: bytes | None) -> str:
    """A JSON object on one line; any other value as a string of its bytes, as in tapes."""
    if value is None:
        return "null"
    try:
        if value.startswith(b"{"):
            return msgspec.json.encode(msgspec.json.decode(value)).decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass  # not JSON: shown as its bytes
    return json.dumps(_text(value))
