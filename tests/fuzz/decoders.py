"""Every decoder that takes bytes from outside, with what it may raise and what it takes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import jwt

from botmeter.client.decoding import decode as decode_for_clients
from botmeter.contracts import catalogue, cloudevents
from botmeter.contracts.codec import type_in
from botmeter.contracts.encoding import decode_account, decode_snapshot, encode_account, encode_snapshot
from botmeter.contracts.partition_notes import FailureNote, decode_note, encode_note
from botmeter.contracts.session_started import decode_start
from botmeter.contracts.topics import Topics
from botmeter.domain.account import Account
from botmeter.domain.prices import Rules
from botmeter.errors import ConfigurationError, PoisonRecord
from botmeter.kafka.subscription import Place, Received
from botmeter.metering.pipeline import Meter
from botmeter.metering.state import PartitionState
from botmeter.metering.store import MemoryStore
from botmeter.notify.directory import change_in
from botmeter.notify.notices import NotReadableError, notice_of
from botmeter.readside.queries.cursors import decode_cursor, encode_cursor
from botmeter.readside.records import read_event
from botmeter.replay.tape import Tape, TapeRecord
from botmeter.telemetry.trace_context import read_traceparent
from botmeter.verification.wire import AnswerShape, JournalShape, VersionedShape
from botmeter.web.access.own_tokens import OwnTokens
from botmeter.web.access.roles import access_of
from botmeter.web.api.entitlement import parse_place
from botmeter.web.problems import ProblemError


@dataclass(frozen=True)
class Decoder:
    """`decode` returns a value or raises one of `refusals`, whatever the bytes are."""

    name: str
    decode: Callable[[bytes], object]
    refusals: tuple[type[Exception], ...]
    #: What it takes.
    examples: tuple[bytes, ...]

    def keeps_its_promise(self, data: bytes) -> bool:
        """Whether the bytes were taken. Anything but a refusal is raised: a broken promise."""
        try:
            self.decode(data)
        except self.refusals as refusal:
            # Of a decoder that says ValueError, these are what slipped through it.
            if isinstance(refusal, UnicodeError):
                raise AssertionError(f"{self.name}: {refusal!r} slipped through") from refusal  # noqa: TRY004
            return False
        return True


TOKENS: Final = OwnTokens("a secret of the tests, long enough for HS512 too, which asks for 64 bytes")


def all_decoders() -> Iterator[Decoder]:
    """Each of them."""
    yield from _of_topics()
    yield from _of_readers()
    yield from _of_worker_and_operators()
    yield from _of_the_web()


# --- Topics ----------------------------------------------------------------------------------------------------------


def examples_of(channel: catalogue.Channel[Any, Any]) -> tuple[bytes, ...]:
    return tuple(json.dumps(message.example).encode() for message in channel.messages)


def _of_topics() -> Iterator[Decoder]:
    for channel in catalogue.CHANNELS:
        if channel in (catalogue.DEAD_LETTERS, catalogue.SNAPSHOTS):  # below, as they are written
            continue
        inputs = channel in (catalogue.INTERACTIONS, catalogue.COMMANDS)
        refusals: tuple[type[Exception], ...] = (PoisonRecord,) if inputs else (ValueError,)
        yield Decoder(channel.topic, channel.decode, refusals, examples_of(channel))
    [letter] = catalogue.DEAD_LETTERS.messages
    lines = "\n".join(f"{name}={value}" for name, value in letter.example.items()).encode()
    yield Decoder("dead_letters", lambda data: cloudevents.read_dead_letter(headers_in(data)), (ValueError,), (lines,))
    yield Decoder("original headers", lambda data: cloudevents.original_headers(headers_in(data)), (), (lines,))


def headers_in(data: bytes) -> list[tuple[str, bytes | None]]:
    """Bytes as headers, one a line; a line without `=` is one without a value."""
    parts = [line.partition(b"=") for line in data.split(b"\n")]
    return [(name.decode("utf-8", "replace"), value if is_there else None) for name, is_there, value in parts]


# --- Those who read the topics ---------------------------------------------------------------------------------------


def _of_readers() -> Iterator[Decoder]:
    journal, alerts, handoffs = map(examples_of, (catalogue.JOURNAL, catalogue.ALERTS, catalogue.HANDOFFS))
    yield Decoder("type of a message", type_in, (ValueError,), alerts)
    for channel in (catalogue.ALERTS, catalogue.HANDOFFS, catalogue.BALANCES, catalogue.COMMAND_RESULTS):
        decode = partial(decode_for_clients, channel)
        yield Decoder(f"client: {channel.topic}", decode, (ValueError,), examples_of(channel))
    yield Decoder("notifier: notice", lambda data: notice_of(_received(data)), (NotReadableError,), alerts + handoffs)
    yield Decoder("notifier: contacts", change_in, (ValueError,), journal)
    yield Decoder("read side: event", read_event, (ValueError,), journal)
    yield Decoder("witness: event", lambda data: JournalShape().identify(_record(data)), (ValueError,), journal)
    [answer, *_] = examples_of(catalogue.COMMAND_RESULTS)
    versioned = VersionedShape(catalogue.ALERTS)
    yield Decoder("witness: alert", lambda data: versioned.identify(_record(data)), (ValueError,), alerts)
    yield Decoder(
        "witness: answer",
        lambda data: AnswerShape().identify(_record(answer, headers_in(data))),
        (ValueError,),
        (b"ce_id=result/billing.commands/0/17",),
    )
    yield Decoder("traceparent", read_traceparent, (), (b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",))


def _received(data: bytes) -> Received:
    return Received(Place("botmeter.alerts", 0), 0, 0, b"acme", data, {"ce_id": data[:9], "traceparent": data[-55:]})


def _record(data: bytes, headers: list[tuple[str, bytes | None]] | None = None) -> TapeRecord:
    return TapeRecord("botmeter.journal", 0, 0, data[:9], data, 0, headers or [])


# --- Worker and operators --------------------------------------------------------------------------------------------


def _of_worker_and_operators() -> Iterator[Decoder]:
    account = _account()
    encoded = encode_account(account)
    yield Decoder("account", decode_account, (ValueError,), (encoded,))
    yield Decoder("snapshots", decode_snapshot, (ValueError,), (encode_snapshot(account, encoded, 17),))
    yield Decoder("session start", decode_start, (), examples_of(catalogue.JOURNAL))
    note = encode_note(FailureNote("why", "what to do", "2026-11-23T10:00:00Z", "w-1"))
    yield Decoder("note", _note, (), (note.encode(),))
    yield Decoder("tape", _tape, (ConfigurationError,), tuple(_tape_lines()))


def _account() -> Account:
    """One that has handled a command."""
    meter = Meter(0, 1, PartitionState(MemoryStore(), Rules(), 10), Topics.named(), Rules(), 0)
    [opening, *_] = examples_of(catalogue.COMMANDS)
    with meter.batch():
        meter.take_command(TapeRecord("billing.commands", 0, 0, b"acme", opening, 1_795_428_000_000, []))
    return meter.state.accounts[b"acme"].account


def _note(data: bytes) -> object:
    """As the client gives the text, and as one would that lets everything pass."""
    return decode_note(data.decode("utf-8", "replace")), decode_note(data.decode("utf-8", "surrogateescape"))


def _tape(data: bytes) -> object:
    return list(Tape(Topics.named(), Rules(), 12).run(data.splitlines()))


def _tape_lines() -> Iterator[bytes]:
    topics, at = Topics.named(), "2026-11-23T10:00:00.000Z"
    inputs = ((topics.interactions, catalogue.INTERACTIONS), (topics.commands, catalogue.COMMANDS))
    for topic, channel in inputs:
        for example in examples_of(channel):
            line = {
                "topic": topic.name,
                "key": "acme",
                "timestamp": at,
                "headers": {"traceparent": "00-1"},
                "offset": 7,
            }
            yield json.dumps({**line, "partition": 3, "value": json.loads(example)}).encode()
    yield json.dumps({"tick": at}).encode()
    yield json.dumps({"rules": json.loads(examples_of(catalogue.RULES)[0])["rules"]}).encode()


# --- The web ---------------------------------------------------------------------------------------------------------


def _of_the_web() -> Iterator[Decoder]:
    cursor = encode_cursor("sessions", 17, "s-1").encode()
    yield Decoder("cursor", lambda data: decode_cursor("sessions", _text(data), int, str), (ValueError,), (cursor,))
    cookie = TOKENS.sign("cookie", {"sub": "jo", "role": "viewer", "accounts": ["acme"]}, 600).encode()
    link = TOKENS.login_link_token("jo", "operator", frozenset()).encode()
    refused = (jwt.InvalidTokenError,)
    yield Decoder("cookie", lambda data: TOKENS.access("cookie", _text(data)), refused, (cookie,))
    yield Decoder("login link", lambda data: TOKENS.single_use_link(_text(data)), refused, (link,))
    claims = (b'["jo", "viewer", ["acme"]]', b'["jo", "operator", null]')
    yield Decoder("claims", _claims, (ValueError,), claims)
    yield Decoder("place", lambda data: parse_place(_text(data)), (ProblemError,), (b"chat.interactions/3/17",))


def _text(data: bytes) -> str:
    """As a server reads a header or a query."""
    return data.decode("latin-1")


def _claims(data: bytes) -> object:
    """Whatever a signed token may hold."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None
    subject, role, accounts = (found + [None] * 3)[:3] if isinstance(found, list) else (found, found, found)
    return access_of(subject, role, accounts, "key")
