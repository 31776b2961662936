"""`botmeter partition`: look at partitions that cannot go on, and get them going."""

from __future__ import annotations

import getpass
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import click

from botmeter.kafka import clients, questions
from botmeter.kafka.topic_setup import require_topics
from botmeter.operations import local_store
from botmeter.operations.partitions import Extent, Partition, PartitionDesk
from botmeter.operations.rescue import Author, Plan, RescueDesk
from botmeter.settings.model import Settings
from botmeter.verification.verification import describe_rescue

F = TypeVar("F", bound=Callable[..., Any])

_COLOURS: Final = {"running": "green", "waiting": "yellow", "standing": "yellow", "FAILED": "red"}
_EPILOG: Final = """\b
Examples:
  botmeter partition status                  how each partition stands
  botmeter partition skip 3 chat.interactions@1742         what it would do, and cost
  botmeter partition skip 3 chat.interactions@1742 --yes --why "bug 4711"
  botmeter partition restore-from 3 journal
"""


@click.group(name="partition", short_help="Look at partitions that cannot go on, and get them going.", epilog=_EPILOG)
def command() -> None:
    """A partition that cannot go on stands alone, with reason and remedy; these commands are the remedies.

    Each says first what it would do and what it costs; --yes does it. It is recorded with who and why in the log of the
    rules. A worker that has the partition notices within seconds; nothing need be restarted. The permissions that this
    takes are in docs/security.md.
    """


def _rescuing(function: F) -> F:
    """The options of what is recorded."""
    for option in (
        click.option("--why", metavar="TEXT", help="Why, for the log; needed with --yes."),
        click.option("--by", metavar="NAME", help="Who does it, for the log. Default: the user's name."),
        click.option("--yes", is_flag=True, help="Do it; without, only say what it would do and cost."),
    ):
        function = option(function)
    return function


@command.command()
@click.argument("number", metavar="[P]", type=click.IntRange(min=0), required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a partition and line.")
@click.pass_obj
def status(settings: Settings, number: int | None, as_json: bool) -> None:  # noqa: FBT001
    """Show how each partition stands: running, waiting, FAILED or standing, and why, since when and what to do.

    It goes by what the cluster knows: a worker that was killed has its partitions until its session has timed out, and
    one that stands still without a failure shows by the records that wait.

    Exit code 0: all are running; 1: some are not.
    """
    with _desk(settings) as desk:
        numbers = range(settings.partitions) if number is None else [_existing(settings, number)]
        found = desk.partitions(numbers)
    now_ms = time.time_ns() // 1_000_000
    for partition in found:
        if as_json:
            click.echo(json.dumps(_fields(partition, now_ms)))
        else:
            for line in _lines(partition, now_ms, is_short=number is None and partition.state == "running"):
                click.echo(line)
    if any(partition.state != "running" for partition in found):
        raise click.exceptions.Exit(1)


@command.command()
@click.argument("number", metavar="P", type=click.IntRange(min=0))
@click.argument("place", metavar="TOPIC@OFFSET")
@_rescuing
@click.pass_obj
def skip(settings: Settings, number: int, place: str, yes: bool, by: str | None, why: str | None) -> None:  # noqa: FBT001
    """Step past the record that a partition stands at: it becomes a dead letter, with its offset in one transaction."""
    topic, _, offset = place.rpartition("@")
    if topic not in (settings.interactions_topic, settings.commands_topic) or not offset.isdigit():
        raise click.BadParameter(f"{place!r} is no record of an input, such as {settings.interactions_topic}@1742")
    _rescue(settings, number, _Asked(yes, by, why), lambda desk: desk.skip(number, topic, int(offset)))


@command.command(name="restore-from")
@click.argument("number", metavar="P", type=click.IntRange(min=0))
@click.argument("source", metavar="journal|inputs", type=click.Choice(["journal", "inputs"]))
@_rescuing
@click.pass_obj
def restore_from(settings: Settings, number: int, source: str, yes: bool, by: str | None, why: str | None) -> None:  # noqa: FBT001
    """Go on with what the journal, or the inputs, still have.

    journal: where it has lost records, it is read over the gaps, and the store and older snapshots no longer count.
    Inputs that its lost events came from are decided again, if they are all there. Where only the group's offsets are
    gone, they are set to where the outputs stood, and nothing is lost.

    inputs: records that were deleted before they were taken are given up.
    """

    def plan(desk: RescueDesk) -> Plan:
        return desk.restore_from_journal(number) if source == "journal" else desk.restore_from_inputs(number)

    _rescue(settings, number, _Asked(yes, by, why), plan)


@command.command(name="delete-store")
@click.argument("number", metavar="P", type=click.IntRange(min=0))
@click.option("--yes", is_flag=True, help="Do it; without, only say what it would do and cost.")
@click.pass_obj
def delete_store(settings: Settings, number: int, yes: bool) -> None:  # noqa: FBT001
    """Delete the local store of a partition on this machine, whose worker has been stopped. Nothing is lost by it."""
    path = settings.data_dir / f"partition-{_existing(settings, number)}"
    size = local_store.bytes_of(path)
    if size is None:
        click.echo(f"There is no store at {path} (BOTMETER_DATA_DIR).")
        return
    click.echo(f"{path}, {size:,} bytes, would be deleted; partition {number} is then restored from the journal.")
    if not yes:
        click.echo("Nothing was deleted: --yes does it.")
        return
    from botmeter.bootstrap import data_directory  # noqa: PLC0415 - it brings Faust, which takes its time

    with data_directory(settings.data_dir):
        local_store.delete(path)
    click.echo("Deleted. Start the worker.")


class _Asked:
    """Whether it is to be done, by whom and why."""

    def __init__(self, yes: bool, by: str | None, why: str | None) -> None:  # noqa: FBT001 - as on the command line
        if yes and not why:
            raise click.UsageError("say why: --why TEXT")
        self.yes, self.author = yes, Author(by or getpass.getuser(), why or "")


def _rescue(settings: Settings, number: int, asked: _Asked, planned: Callable[[RescueDesk], Plan]) -> None:
    _existing(settings, number)
    with _desk(settings) as desk:
        require_topics(desk.admin, settings.topics().all(), settings.partitions)
        rescues = RescueDesk(desk, asked.author)
        plan = planned(rescues)
        for line in plan.lines:
            click.echo(line)
        if not asked.yes:
            click.echo('Nothing was done: --yes --why "..." does it.')
            return
        done = rescues.do(plan)
    click.echo(f"Done, recorded as number {done.number} of the rules' log. A worker takes it up within seconds.")


def _existing(settings: Settings, number: int) -> int:
    if number >= settings.partitions:
        raise click.BadParameter(f"there are partitions 0 to {settings.partitions - 1} (BOTMETER_PARTITIONS)")
    return number


@contextmanager
def _desk(settings: Settings) -> Iterator[PartitionDesk]:
    config = clients.admin_config(settings.kafka, settings.bootstrap_servers)
    questions.wait_for_broker(config, settings.broker_timeout_s, lambda line: click.echo(f"botmeter: {line}", err=True))
    with clients.make_admin(config) as admin, PartitionDesk(settings, admin) as desk:
        yield desk


# --- Showing ---------------------------------------------------------------------------------------------------------


def _fields(partition: Partition, now_ms: int) -> dict[str, Any]:
    note = partition.committed.note
    return {
        "partition": partition.number,
        "state": partition.state,
        "reason": partition.reason,
        "remedy": partition.remedy,
        "age_s": partition.age_s(now_ms),
        "worker": None if note is None else note.worker,
        "owner": partition.owner,
        "committed": dict(partition.committed.offsets),
        "topics": {
            name: {"begin": extent.begin, "stable": extent.stable, "end": extent.end}
            for name, extent in partition.extents.items()
        },
        "store": str(partition.store),
        "store_bytes": local_store.bytes_of(partition.store),
        "rescues": [describe_rescue(rescue) for rescue in partition.rescues],
        "awaited": [f"{rescue.topic}@{rescue.offset}" for rescue in partition.awaited],
    }


def _lines(partition: Partition, now_ms: int, *, is_short: bool) -> Iterator[str]:
    age_s, note = partition.age_s(now_ms), partition.committed.note
    since = "" if age_s is None or note is None else f"for {age_s:,} s, says {note.worker}"
    state = click.style(f"{partition.state:<9}", _COLOURS[partition.state])
    yield f"partition {partition.number:<4}{state}{since}".rstrip()
    if is_short:
        return
    for line in (partition.reason, partition.remedy):
        if line is not None:
            yield f"    {line}"
    rows = {"worker": partition.owner or "none"}
    rows |= {name: _extent(extent, partition, name) for name, extent in partition.extents.items()}
    size = local_store.bytes_of(partition.store)
    rows["store"] = f"{partition.store}: " + ("none on this machine" if size is None else f"{size:,} bytes")
    width = max(map(len, rows)) + 2
    for name, text in rows.items():
        yield f"    {name:<{width}}{text}"
    for rescue in partition.rescues:
        awaited = " (no worker has come to it yet)" if rescue in partition.awaited else ""
        yield f"    {'rescued':<{width}}{describe_rescue(rescue)}{awaited}"


def _extent(extent: Extent, partition: Partition, name: str) -> str:
    offsets = f"offsets {extent.begin} to {extent.end}"
    if name in partition.committed.offsets:
        at = partition.committed.offsets[name]
        offsets = f"{'nothing' if at is None else at} committed of {offsets}"
    return offsets if extent.stable == extent.end else f"{offsets}, a transaction is open at {extent.stable}"
