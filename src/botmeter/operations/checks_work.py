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

#: Clocks further apart than this make chats too late or in the future that are not.
_SKEW_MS: Final = 2_000
_GIBIBYTE: Final = 1 << 30
#: Share of dead letters in the last hour's interactions that somebody should look at, in percent.
_DEAD_LETTERS_PERCENT: Final = 1
_BEHIND_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class Asking:
    """What the checks ask with.

    `now_ms` is this machine's clock, UTC ms; `listen_s` how long to listen for traffic; `program` the one whose
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
        """Of a client that reads or asks, and is no member of the group."""
        settings = self.settings
        return clients.reader_config(settings.kafka, settings.bootstrap_servers, settings.group)


def group(asking: Asking) -> Iterator[Finding]:
    """Whether somebody meters every partition, and how far behind."""
    settings, topics = asking.settings, asking.settings.topics()
    found = descriptions.describe_group(asking.admin, settings.group)
    owned = {place for places in found.members.values() for place in places}
    idle = [number for number in asking.numbers if (topics.interactions.name, number) not in owned]
    if not found.members:
        yield Finding("group", "problem", f"the group {settings.group} has no workers", "run: botmeter worker")
    elif idle:
        yield Finding(
            "group",
            "problem",
            f"nobody has partitions {', '.join(map(str, idle))} (the group is {found.state})",
            "if it stays so for a minute, look at the workers' logs and at their /health",
        )
    else:
        yield Finding("group", "ok", f"{len(found.members)} workers have all {len(asking.numbers)} partitions")
    yield from _lag(asking)


def _lag(asking: Asking) -> Iterator[Finding]:
    topics = asking.settings.topics()
    inputs = (topics.interactions, topics.commands)
    with clients.make_consumer(clients.asking_config(asking.reader)) as asker:
        committed = questions.committed_offsets(
            asker, [(topic.name, number) for topic in inputs for number in asking.numbers]
        )
    for topic in inputs:
        behind = questions.offsets_at(asking.admin, topic.name, asking.numbers, asking.now_ms - _BEHIND_MS)
        late = [number for number in asking.numbers if (committed.get((topic.name, number)) or 0) < behind[number]]
        ends = questions.end_offsets(asking.admin, topic.name, asking.numbers)
        left = sum(max(0, ends[number] - (committed.get((topic.name, number)) or 0)) for number in asking.numbers)
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


def partitions(asking: Asking) -> Iterator[Finding]:
    """Those that cannot go on before somebody rescues them: why, since when, and what gets each going."""
    with PartitionDesk(asking.settings, asking.admin) as desk:
        failed = [each for each in desk.partitions(asking.numbers) if each.state == "FAILED"]
    for partition in failed:
        age_s, note = partition.age_s(asking.now_ms), partition.committed.note
        since = "" if age_s is None or note is None else f" for {age_s:,} s, says {note.worker}"
        text = f"partition {partition.number} FAILED{since}: {partition.reason}"
        yield Finding("partitions", "problem", text, partition.remedy)
    if not failed:
        yield Finding("partitions", "ok", "none has failed")


def transactions(asking: Asking) -> Iterator[Finding]:
    """Transactions that stay open for longer than any worker's may."""
    wanted = {
        (topic.name, number): end
        for topic in asking.settings.topics().all()
        for number, end in _ends_if_there(asking, topic).items()
    }
    deadline = time.monotonic() + asking.settings.transaction_timeout_ms / 1000 + 15
    open_ = _open(asking, wanted)
    while open_ and time.monotonic() < deadline:
        time.sleep(0.5)
        open_ = _open(asking, {place: wanted[place] for place in open_})
    for (topic, number), stable in sorted(open_.items()):
        yield Finding(
            "transactions",
            "problem",
            f"{topic}, partition {number}: a transaction hangs at offset {stable}, where readers wait",
            f"run: kafka-transactions.sh --bootstrap-server {asking.settings.bootstrap_servers} find-hanging "
            f"--topic {topic} --partition {number}, then abort with what it prints",
        )
    if not open_:
        yield Finding("transactions", "ok", "none hangs")


def _ends_if_there(asking: Asking, topic: Topic) -> dict[int, int]:
    """Where its partitions end; none of a topic that is missing, which the check of the topics tells."""
    try:
        return questions.end_offsets(asking.admin, topic.name, asking.numbers)
    except ClusterError:
        return {}


def _open(asking: Asking, wanted: dict[tuple[str, int], int]) -> dict[tuple[str, int], int]:
    """Where readers still wait below these offsets."""
    found: dict[tuple[str, int], int] = {}
    for topic in {topic for topic, _ in wanted}:
        numbers = [number for name, number in wanted if name == topic]
        stable = questions.stable_offsets(asking.admin, topic, numbers)
        found |= {(topic, number): at for number, at in stable.items() if at < wanted[topic, number]}
    return found


def dead_letters(asking: Asking) -> Iterator[Finding]:
    """How many came in the last hour, beside the day before and beside the interactions."""
    topics = asking.settings.topics()
    hour, before = _arrived(asking, topics.dead_letters, HOUR_MS), _arrived(asking, topics.dead_letters, DAY_MS)
    interactions = _arrived(asking, topics.interactions, HOUR_MS)
    text = (
        f"about {hour:,} in the last hour, {before:,} in the last day; {interactions:,} interactions in the last hour"
    )
    if hour * 100 > max(interactions, 1) * _DEAD_LETTERS_PERCENT:
        yield Finding("dead letters", "warning", text, "run: botmeter dead-letters stats")
    else:
        yield Finding("dead letters", "ok", text)


def _arrived(asking: Asking, topic: Topic, within_ms: int) -> int:
    """Offsets, so the ends of transactions count too."""
    since = questions.offsets_at(asking.admin, topic.name, asking.numbers, asking.now_ms - within_ms)
    ends = questions.end_offsets(asking.admin, topic.name, asking.numbers)
    return sum(ends[number] - since[number] for number in asking.numbers)


def journal(asking: Asking) -> Iterator[Finding]:
    """Whether the journal is whole, and whether snapshots are written."""
    topics = asking.settings.topics()
    begins = questions.begin_offsets(asking.admin, topics.journal.name, asking.numbers)
    ends = questions.end_offsets(asking.admin, topics.journal.name, asking.numbers)
    snapshots = questions.end_offsets(asking.admin, topics.snapshots.name, asking.numbers)
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
    without = [number for number in asking.numbers if ends[number] and not snapshots[number]]
    if without:
        yield Finding(
            "snapshots",
            "warning",
            f"partitions {', '.join(map(str, without))} have a journal and no snapshot: a cold start reads all of it",
            "snapshots come within a minute of traffic; if they do not, look at the workers' logs",
        )
    else:
        yield Finding("snapshots", "ok", "there are some for every journal")


def clocks(asking: Asking) -> Iterator[Finding]:
    """The broker's clock beside this machine's, by the timestamps of records as they arrive; nothing is written."""
    topic = asking.settings.topics().interactions.name
    skews = [broker - here for broker, here in arrivals(asking.reader, topic, asking.numbers, asking.listen_s)]
    if not skews:
        yield Finding(
            "clocks",
            "unknown",
            f"no interaction came within {asking.listen_s:g} s to compare by",
            "try again with traffic",
        )
        return
    # A record takes a moment to arrive, so the largest difference is the nearest to the truth.
    skew = max(skews)
    text = f"the brokers' clock is {skew:+,} ms from this machine's, by {len(skews):,} records"
    if abs(skew) > _SKEW_MS:
        yield Finding("clocks", "problem", text, "set both by NTP; interactions are judged by the brokers' clock")
    else:
        yield Finding("clocks", "ok", text)


def disk(asking: Asking) -> Iterator[Finding]:
    """The directory of the local stores, on this machine."""
    directory = asking.settings.data_dir
    there = directory
    while not there.exists() and there != there.parent:
        there = there.parent
    usage = shutil.disk_usage(there)
    text = f"{directory}: {usage.free / _GIBIBYTE:,.1f} GiB of {usage.total / _GIBIBYTE:,.1f} GiB free"
    if not os.access(there, os.W_OK):
        yield Finding("disk", "problem", f"{there} cannot be written", "set BOTMETER_DATA_DIR, or its owner")
    elif usage.free < _GIBIBYTE:
        yield Finding("disk", "problem", text, "free some; a worker that cannot write its store stops")
    elif usage.free < usage.total // 10:
        yield Finding("disk", "warning", text, "free some")
    else:
        yield Finding("disk", "ok", text)
