"""Checks of the work: group, lag, failed partitions, transactions, dead letters, journal, snapshots, clocks, disk."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from botmeter.contracts.topics import Topic
from botmeter.domain.prices import DAY_MS, HOUR_MS
from botmeter.errors import ClusterError
from botmeter.kafka import clients, descriptions, questions
from botmeter.kafka.arrivals import arrivals
from botmeter.kafka.descriptions import Admin
from botmeter.operations.findings import Finding
from botmeter.operations.partitions import PartitionDesk
from botmeter.settings.model import Settings

#: Clocks further apart than this may cause chats to be refused as too late or in the future.
_SKEW_MS: Final = 2_000
_GIBIBYTE: Final = 1 << 30
#: Percentage of dead letters in the last hour's interactions above which an operator should look at them.
_DEAD_LETTERS_PERCENT: Final = 1
_BEHIND_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class CheckContext:
    """The input of the checks.

    `now_ms` is this machine's clock, UTC ms; `listen_s` how long to listen for traffic; `program` the program whose
    permissions these credentials should have.
    """

    admin: Admin
    settings: Settings
    now_ms: int
    listen_s: float
    program: str

    @property
    def numbers(self) -> range:
        """The partitions."""
        return range(self.settings.partitions)

    @property
    def reader(self) -> clients.Config:
        """The options of a client that reads and queries without joining the group."""
        settings = self.settings
        return clients.reader_config(settings.kafka, settings.bootstrap_servers, settings.group)


def group(context: CheckContext) -> Iterator[Finding]:
    """Checks that a worker owns every partition, and how far behind it is."""
    settings, topics = context.settings, context.settings.topics()
    group_ = descriptions.describe_group(context.admin, settings.group)
    owned = {place for places in group_.members.values() for place in places}
    idle = [number for number in context.numbers if (topics.interactions.name, number) not in owned]
    if not group_.members:
        yield Finding("group", "problem", f"the group {settings.group} has no workers", "run: botmeter worker")
    elif idle:
        yield Finding(
            "group",
            "problem",
            f"no worker has partitions {', '.join(map(str, idle))} (the group is {group_.state})",
            "if it stays so for a minute, look at the workers' logs and at their /health",
        )
    else:
        yield Finding("group", "ok", f"{len(group_.members)} workers have all {len(context.numbers)} partitions")
    yield from _lag(context)


def _lag(context: CheckContext) -> Iterator[Finding]:
    topics = context.settings.topics()
    inputs = (topics.interactions, topics.commands)
    with clients.make_consumer(clients.query_config(context.reader)) as client:
        committed = questions.committed_offsets(
            client, [(topic.name, number) for topic in inputs for number in context.numbers]
        )
    for topic in inputs:
        behind = questions.offsets_at(context.admin, topic.name, context.numbers, context.now_ms - _BEHIND_MS)
        late = [number for number in context.numbers if (committed.get((topic.name, number)) or 0) < behind[number]]
        ends = questions.end_offsets(context.admin, topic.name, context.numbers)
        left = sum(max(0, ends[number] - (committed.get((topic.name, number)) or 0)) for number in context.numbers)
        if late:
            yield Finding(
                "lag",
                "problem",
                f"{topic.name}: records of more than a minute ago are not taken on partitions "
                f"{', '.join(map(str, late))}; {left:,} offsets are left in all",
                "look at the workers' logs; more workers help while partitions share one; "
                "an open transaction in the input holds readers back",
            )
        else:
            yield Finding("lag", "ok", f"{topic.name}: nothing of more than a minute ago is left ({left:,} offsets)")


def partitions(context: CheckContext) -> Iterator[Finding]:
    """Reports the failed partitions: why and since when, with the command that fixes each."""
    with PartitionDesk(context.settings, context.admin) as desk:
        failed = [each for each in desk.partitions(context.numbers) if each.state == "FAILED"]
    for partition in failed:
        age_s, note = partition.age_s(context.now_ms), partition.committed.note
        since = "" if age_s is None or note is None else f" for {age_s:,} s, says {note.worker}"
        text = f"partition {partition.number} FAILED{since}: {partition.reason}"
        yield Finding("partitions", "problem", text, partition.remedy)
    if not failed:
        yield Finding("partitions", "ok", "none has failed")


def transactions(context: CheckContext) -> Iterator[Finding]:
    """Reports transactions that stay open for longer than a worker's transaction may."""
    wanted = {
        (topic.name, number): end
        for topic in context.settings.topics().all()
        for number, end in _ends_if_there(context, topic).items()
    }
    deadline = time.monotonic() + context.settings.transaction_timeout_ms / 1000 + 15
    open_ = _open(context, wanted)
    while open_ and time.monotonic() < deadline:
        time.sleep(0.5)
        open_ = _open(context, {place: wanted[place] for place in open_})
    for (topic, number), stable in sorted(open_.items()):
        yield Finding(
            "transactions",
            "problem",
            f"{topic}, partition {number}: a transaction hangs at offset {stable}, where readers wait",
            f"run: kafka-transactions.sh --bootstrap-server {context.settings.bootstrap_servers} find-hanging "
            f"--topic {topic} --partition {number}, then abort with what it prints",
        )
    if not open_:
        yield Finding("transactions", "ok", "none hangs")


def _ends_if_there(context: CheckContext, topic: Topic) -> dict[int, int]:
    """Returns the ends of a topic's partitions; nothing for a missing topic, which another check reports."""
    try:
        return questions.end_offsets(context.admin, topic.name, context.numbers)
    except ClusterError:
        return {}


def _open(context: CheckContext, wanted: dict[tuple[str, int], int]) -> dict[tuple[str, int], int]:
    """Returns the last stable offsets that are still below the given offsets."""
    open_: dict[tuple[str, int], int] = {}
    for topic in {topic for topic, _ in wanted}:
        numbers = [number for name, number in wanted if name == topic]
        stable = questions.stable_offsets(context.admin, topic, numbers)
        open_ |= {(topic, number): at for number, at in stable.items() if at < wanted[topic, number]}
    return open_


def dead_letters(context: CheckContext) -> Iterator[Finding]:
    """Compares the number of dead letters in the last hour with the last day and with the interactions."""
    topics = context.settings.topics()
    hour, before = _arrived(context, topics.dead_letters, HOUR_MS), _arrived(context, topics.dead_letters, DAY_MS)
    interactions = _arrived(context, topics.interactions, HOUR_MS)
    text = (
        f"about {hour:,} in the last hour, {before:,} in the last day; {interactions:,} interactions in the last hour"
    )
    if hour * 100 > max(interactions, 1) * _DEAD_LETTERS_PERCENT:
        yield Finding("dead letters", "warning", text, "run: botmeter dead-letters stats")
    else:
        yield Finding("dead letters", "ok", text)


def _arrived(context: CheckContext, topic: Topic, within_ms: int) -> int:
    """Returns the number of new offsets, which includes the ends of transactions."""
    since = questions.offsets_at(context.admin, topic.name, context.numbers, context.now_ms - within_ms)
    ends = questions.end_offsets(context.admin, topic.name, context.numbers)
    return sum(ends[number] - since[number] for number in context.numbers)


def journal(context: CheckContext) -> Iterator[Finding]:
    """Checks that no journal records were deleted, and that snapshots are written."""
    topics = context.settings.topics()
    begins = questions.begin_offsets(context.admin, topics.journal.name, context.numbers)
    ends = questions.end_offsets(context.admin, topics.journal.name, context.numbers)
    snapshots = questions.end_offsets(context.admin, topics.snapshots.name, context.numbers)
    cut = [number for number, begin in begins.items() if begin > 0]
    if cut:
        yield Finding(
            "journal",
            "problem",
            f"partitions {', '.join(map(str, cut))} do not begin at offset 0: records were deleted",
            "set retention.ms=-1 and retention.bytes=-1 for the topic at once; what is gone is gone",
        )
    else:
        yield Finding("journal", "ok", f"whole from offset 0, {sum(ends.values()):,} offsets")
    without = [number for number in context.numbers if ends[number] and not snapshots[number]]
    if without:
        yield Finding(
            "snapshots",
            "warning",
            f"partitions {', '.join(map(str, without))} have a journal and no snapshot: a cold start reads all of it",
            "snapshots come within a minute of traffic; if they do not, look at the workers' logs",
        )
    else:
        yield Finding("snapshots", "ok", "there are some for every journal")


def clocks(context: CheckContext) -> Iterator[Finding]:
    """Compares the broker's clock with this machine's by the timestamps of arriving records; writes nothing."""
    topic = context.settings.topics().interactions.name
    skews = [broker - here for broker, here in arrivals(context.reader, topic, context.numbers, context.listen_s)]
    if not skews:
        yield Finding(
            "clocks",
            "unknown",
            f"no interaction came within {context.listen_s:g} s to compare by",
            "try again with traffic",
        )
        return
    # A record takes some time to arrive, so the largest difference is the most accurate.
    skew = max(skews)
    text = f"the brokers' clock is {skew:+,} ms from this machine's, by {len(skews):,} records"
    if abs(skew) > _SKEW_MS:
        yield Finding("clocks", "problem", text, "set both by NTP; interactions are judged by the brokers' clock")
    else:
        yield Finding("clocks", "ok", text)


def disk(context: CheckContext) -> Iterator[Finding]:
    """Checks the directory of the local stores, on this machine."""
    directory = context.settings.data_dir
    existing = directory
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    usage = shutil.disk_usage(existing)
    text = f"{directory}: {usage.free / _GIBIBYTE:,.1f} GiB of {usage.total / _GIBIBYTE:,.1f} GiB free"
    if not os.access(existing, os.W_OK):
        yield Finding("disk", "problem", f"{existing} cannot be written", "set BOTMETER_DATA_DIR, or its owner")
    elif usage.free < _GIBIBYTE:
        yield Finding("disk", "problem", text, "free some; a worker that cannot write its store stops")
    elif usage.free < usage.total // 10:
        yield Finding("disk", "warning", text, "free some")
    else:
        yield Finding("disk", "ok", text)
