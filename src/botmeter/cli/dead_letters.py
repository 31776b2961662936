"""`botmeter dead-letters`: look at dead letters, and send them back after a fix."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import click

from botmeter.contracts.instants import millis, rfc3339
from botmeter.kafka import clients, questions
from botmeter.kafka.exactly_once import ExactlyOnce, read_notes
from botmeter.operations.dead_letters import ADVICE, UNKNOWN, DeadLetterTopic, Letter, Selection, Unreadable
from botmeter.operations.redrive import Redrive, Redriven, group_of, obstacle, redriven_by
from botmeter.settings.model import Settings

F = TypeVar("F", bound=Callable[..., Any])

_TOP: Final = 10
_SHOWN_CHARACTERS_MAX: Final = 4_000
_TIME: Final = click.DateTime(["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"])

_EPILOG: Final = """\b
Examples:
  botmeter dead-letters stats                      how many, why, whose
  botmeter dead-letters list --reason invalid      the last 20 of them
  botmeter dead-letters show 3@1742 --payload      all of one
  botmeter dead-letters redrive --reason wrong_partition         shows what it would do
  botmeter dead-letters redrive --reason wrong_partition --go    does it
"""


@click.group(name="dead-letters", epilog=_EPILOG)
def command() -> None:
    """Look at the records that could not be processed, and send them back after a fix."""


def _selection_options(function: F) -> F:
    """Adds the options that select letters."""
    for option in (
        click.option("--sender-header", default="sender", show_default=True, help="Header that names a sender."),
        click.option("--sender", help="Only those whose sender header has this value."),
        click.option("--until", type=_TIME, metavar="TIME", help="Only records that the broker had before then, UTC."),
        click.option("--since", type=_TIME, metavar="TIME", help="Only records that the broker had from then on, UTC."),
        click.option("--account", help="Only those of this account."),
        click.option("--reason", "reasons", multiple=True, type=click.Choice(list(ADVICE)), help="Only these reasons."),
    ):
        function = option(function)
    return function


@dataclass(frozen=True, slots=True)
class _Query:
    selection: Selection
    sender_header: str


def _query(options: dict[str, Any], places: tuple[str, ...] = ()) -> _Query:
    def moment(name: str) -> int | None:
        found: datetime | None = options[name]
        return None if found is None else millis(found.replace(tzinfo=UTC))

    selection = Selection(
        frozenset(options["reasons"]),
        options["account"],
        options["sender"],
        moment("since"),
        moment("until"),
        frozenset(places),
    )
    return _Query(selection, options["sender_header"])


@command.command(name="list")
@_selection_options
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="The latest so many.")
@click.option("--payload", is_flag=True, help="With the records' values, which may hold personal data.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.pass_obj
def list_(settings: Settings, /, limit: int, payload: bool, as_json: bool, **options: Any) -> None:  # noqa: FBT001
    """List the latest dead letters, oldest first: where, when, why, whose, and from which record."""
    query = _query(options)
    with _reading(settings) as topic:
        latest: deque[Letter] = deque(sorted(_selected(topic, query), key=lambda each: each.at)[-limit:])
    redriven = _redriven(settings)
    for letter in latest:
        if as_json:
            click.echo(json.dumps(_fields(letter, redriven, payload=payload)))
            continue
        mark = "  redriven" if redriven.has(letter) else ""
        sender = f"  from {letter.sender}" if letter.sender else ""
        click.echo(
            f"{letter.place:>10}  {rfc3339(letter.at)}  {letter.reason:<16}  {letter.account_id or '-'}{sender}  "
            f"{letter.source.topic}-{letter.source.partition}@{letter.source.offset}{mark}"
        )
        click.echo(f"{'':>12}{letter.message}")
        if payload:
            click.echo(f"{'':>12}{_readable(letter.value)}")


@command.command()
@click.argument("place", metavar="PARTITION@OFFSET")
@click.option("--payload", is_flag=True, help="With the record's value, which may hold personal data.")
@click.option("--json", "as_json", is_flag=True, help="As a JSON object.")
@click.pass_obj
def show(settings: Settings, place: str, payload: bool, as_json: bool) -> None:  # noqa: FBT001
    """Show one dead letter, its headers and what to do about it. Exit code 1: there is none at this place."""
    with _reading(settings) as topic:
        found = next(_selected(topic, _Query(Selection(places=frozenset({place})), "sender")), None)
    if found is None:
        click.echo(f"botmeter: there is no dead letter at {place}", err=True)
        raise click.exceptions.Exit(1)
    redriven = _redriven(settings)
    if as_json:
        click.echo(json.dumps(_fields(found, redriven, payload=payload)))
        return
    advice = ADVICE.get(found.reason, UNKNOWN)
    rows = {
        "reason": found.reason,
        "message": found.message,
        "record": f"{found.source.topic}-{found.source.partition}@{found.source.offset}, {rfc3339(found.at)}",
        "account": found.account_id or "-",
        "key": _readable(found.key),
        "value": _readable(found.value) if payload else f"{len(found.value or b''):,} bytes (--payload shows them)",
        "cut": "yes: it did not fit the topic" if found.is_truncated else "no",
        "redriven": "yes" if redriven.has(found) else "no",
        "what to do": advice.remedy,
        "sent back": advice.prospect,
    }
    for name, text in rows.items():
        click.echo(f"{name:<12}{text}")
    for name, value in found.headers:
        click.echo(f"header      {name}: {_readable(value)}")


@command.command()
@_selection_options
@click.option("--json", "as_json", is_flag=True, help="As a JSON object.")
@click.pass_obj
def stats(settings: Settings, /, as_json: bool, **options: Any) -> None:  # noqa: FBT001
    """Count dead letters by reason, account, sender, input and day, and show what to do about each reason."""
    query = _query(options)
    counts: dict[str, Counter[str]] = {name: Counter() for name in ("reason", "account", "sender", "input", "day")}
    with _reading(settings) as topic:
        for letter in _selected(topic, query):
            counts["reason"][letter.reason] += 1
            counts["account"][letter.account_id or "-"] += 1
            counts["sender"][letter.sender or "-"] += 1
            counts["input"][letter.source.topic] += 1
            counts["day"][rfc3339(letter.at)[:10]] += 1
    if as_json:
        click.echo(json.dumps(counts))
        return
    click.echo(f"{counts['reason'].total():,} dead letters")
    for reason, count in counts["reason"].most_common():
        click.echo(f"{count:>10,}  {reason}")
        click.echo(f"{'':>12}{ADVICE.get(reason, UNKNOWN).remedy}")
    for name in ("account", "sender", "input"):
        click.echo(f"by {name}:")
        for value, count in counts[name].most_common(_TOP):
            click.echo(f"{count:>10,}  {value}")
    click.echo("by day:")
    for value, count in sorted(counts["day"].items()):
        click.echo(f"{count:>10,}  {value}")


@command.command()
@_selection_options
@click.argument("places", metavar="[PARTITION@OFFSET]...", nargs=-1)
@click.option("--go", is_flag=True, help="Send them. Without it: only show what would be sent.")
@click.option("--again", is_flag=True, help="Also those that were sent back before.")
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True),
    default=500,
    show_default=True,
    help="At most so many a second.",
)
@click.pass_obj
def redrive(settings: Settings, /, places: tuple[str, ...], go: bool, again: bool, rate: float, **options: Any) -> None:  # noqa: FBT001
    """Send dead letters back to the topics they came from, each once.

    Letters are selected by the options, or by their places. Without --go, it only shows what it would do. A record goes
    back unchanged, with the header botmeter_redriven, to the partition of its key; the broker gives it a new timestamp.
    The same transaction notes what was sent back, in the offsets of the group <BOTMETER_GROUP>-redrive, so neither a
    crash nor a second run sends one twice. It needs WRITE on the inputs, READ on that group, and WRITE on the
    transactional id of the same name.

    Exit code 0: all were sent, or would be; 1: some cannot be.
    """
    query, plan = _query(options, places), _Plan(settings, again=again)
    with _reading(settings) as topic:
        if not go:
            plan.redriven = _redriven(settings)
            for letter in plan.to_send(_selected(topic, query)):
                plan.count(letter)
            _print_plan(plan, rate)
        else:
            with _sending(settings) as producer:
                run = Redrive(producer, settings.topics(), settings.partitions, topic.begins(), rate)
                plan.redriven = run.redriven
                run.send(plan.to_send(_selected(topic, query)), plan.progress)
            click.echo(f"{plan.sent:,} sent back, {plan.before:,} had been before")
    _print_obstacles(plan)
    if plan.obstacles:
        raise click.exceptions.Exit(1)


class _Plan:
    """Which of the selected letters are sent, and how many are not."""

    def __init__(self, settings: Settings, *, again: bool) -> None:
        self._topics, self._again = settings.topics(), again
        self.redriven = Redriven()
        self.by_reason: Counter[str] = Counter()
        #: How many were sent back before, how many are sent now, and how many cannot be sent, by reason.
        self.before = self.sent = 0
        self.obstacles: Counter[str] = Counter()

    def to_send(self, letters: Iterator[Letter]) -> Iterator[Letter]:
        """Yields the letters to send, and counts the others."""
        for letter in letters:
            reason = obstacle(letter, self._topics)
            if reason is not None:
                self.obstacles[reason] += 1
            elif not self._again and self.redriven.has(letter):
                self.before += 1
            else:
                yield letter

    def count(self, letter: Letter) -> None:
        """Counts a letter that would be sent."""
        self.by_reason[letter.reason] += 1

    def progress(self, count: int) -> None:
        """Prints the progress after `count` more letters were sent."""
        self.sent += count
        click.echo(f"{self.sent:>10,} sent back", err=True)


def _print_plan(plan: _Plan, rate: float) -> None:
    total = plan.by_reason.total()
    click.echo(f"{total:,} would be sent back, in about {total / rate:,.0f} s; {plan.before:,} were before")
    for reason, count in plan.by_reason.most_common():
        advice = ADVICE.get(reason, UNKNOWN)
        click.echo(f"{count:>10,}  {reason}: {advice.prospect}")
        if not advice.is_hopeful:
            click.echo(f"{'':>12}first: {advice.remedy}")
    click.echo("nothing was sent; --go sends them")


def _print_obstacles(plan: _Plan) -> None:
    for reason, count in plan.obstacles.most_common():
        click.echo(f"botmeter: {count:,} cannot be sent back: {reason}", err=True)


# --- Reading and sending ---------------------------------------------------------------------------------------------


@contextmanager
def _reading(settings: Settings) -> Iterator[DeadLetterTopic]:
    """Waits for the broker, and opens the topic of dead letters."""
    admin = clients.admin_config(settings.kafka, settings.bootstrap_servers)
    questions.wait_for_broker(admin, settings.broker_timeout_s, lambda line: click.echo(f"botmeter: {line}", err=True))
    with DeadLetterTopic(admin, _reader_config(settings), settings.topics().dead_letters.name) as topic:
        yield topic


def _reader_config(settings: Settings) -> clients.Config:
    return clients.reader_config(settings.kafka, settings.bootstrap_servers, group_of(settings.group))


@contextmanager
def _sending(settings: Settings) -> Iterator[ExactlyOnce]:
    producer = clients.producer_config(
        settings.kafka, settings.bootstrap_servers, group_of(settings.group), settings.transaction_timeout_ms
    )
    with ExactlyOnce(producer, _reader_config(settings)) as sending:
        yield sending


def _selected(topic: DeadLetterTopic, query: _Query) -> Iterator[Letter]:
    """Yields the selected letters; a record that is no dead letter is reported and left out."""
    for letter in topic.letters(query.sender_header):
        if isinstance(letter, Unreadable):
            click.echo(f"botmeter: {letter.partition}@{letter.offset} is no dead letter of botmeter's", err=True)
        elif query.selection.takes(letter):
            yield letter


def _redriven(settings: Settings) -> Redriven:
    """Returns which letters were sent back so far."""
    name = settings.topics().dead_letters.name
    with clients.make_consumer(clients.query_config(_reader_config(settings))) as asker:
        return redriven_by(read_notes(asker, [(name, number) for number in range(settings.partitions)]))


# --- Showing ---------------------------------------------------------------------------------------------------------


def _fields(letter: Letter, redriven: Redriven, *, payload: bool) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "place": letter.place,
        "at": rfc3339(letter.at),
        "reason": letter.reason,
        "message": letter.message,
        "account_id": letter.account_id or None,
        "sender": letter.sender or None,
        "source": letter.source._asdict(),
        "is_truncated": letter.is_truncated,
        "redriven": redriven.has(letter),
        "headers": [[name, _readable(value)] for name, value in letter.headers],
    }
    if payload:
        fields |= {"key": _readable(letter.key), "value": _readable(letter.value)}
    return fields


def _readable(value: bytes | None) -> str | None:
    """Returns bytes as text that a person can read."""
    if value is None:
        return None
    text = value.decode("utf-8", "backslashreplace")
    cut = f"... ({len(value):,} bytes)" if len(text) > _SHOWN_CHARACTERS_MAX else ""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text[:_SHOWN_CHARACTERS_MAX]) + cut
