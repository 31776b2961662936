"""The cluster: topics, groups and transactions, and the faults a test may plant in it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from confluent_kafka import KafkaError, KafkaException

from .groups import Group
from .log import Changes, Log, Place, Refused
from .transactions import TransactionCoordinator
from .world import FOR_EVER_MS, Fate, Process, World

T = TypeVar("T")
#: How long a rebalance waits for those that do not join again (max.poll.interval.ms).
REBALANCE_MS = 120_000


class MemoryBroker:
    """One cluster. All clients of all processes share it."""

    def __init__(self, world: World, rebalance_ms: int = REBALANCE_MS) -> None:
        self.world = world
        self._rebalance_ms = rebalance_ms
        self._topics: dict[str, list[Log]] = {}
        self.changes = Changes()
        self._ids = itertools.count(1)
        self.topic_ids: dict[str, str] = {}
        self._groups: dict[str, Group] = {}
        self.transactions = TransactionCoordinator(world, self.log, self.group)

    def create_topic(self, name: str, partitions: int, has_brokers_time: bool) -> None:  # noqa: FBT001 - its setting
        """A topic, or one made anew under an old name."""
        self._topics[name] = [Log((name, number), has_brokers_time, self.changes) for number in range(partitions)]
        self.topic_ids[name] = f"topic-{next(self._ids)}"

    def log(self, place: Place) -> Log:
        """Raises Refused where there is no such partition."""
        logs = self._topics.get(place[0], [])
        if not 0 <= place[1] < len(logs):
            raise Refused(KafkaError.UNKNOWN_TOPIC_OR_PART)
        return logs[place[1]]

    def logs(self) -> list[Log]:
        """Every partition."""
        return [log for logs in self._topics.values() for log in logs]

    def partitions_of(self, topic: str) -> int:
        return len(self._topics.get(topic, []))

    @property
    def topics(self) -> list[str]:
        return list(self._topics)

    def group(self, name: str) -> Group:
        group = self._groups.get(name)
        if group is None:
            group = self._groups[name] = Group(name, self.world, self.partitions_of, self._rebalance_ms)
        return group

    def watch(self, process: Process) -> None:
        """The process died or froze: the groups miss its members in time."""
        for group in self._groups.values():
            for member in list(group.members.values()):
                if member.client.process is process:
                    group.watch(member)

    def hear(self, process: Process) -> None:
        """The process goes on: its clients hear what happened meanwhile."""
        for group in self._groups.values():
            for client in list(group.clients):
                if client.process is process:
                    client.hear()


class ConnectionLost(Exception):  # noqa: N818 - named by what happened
    """Before the answer came; the request may still come to the broker."""


def ask(
    world: World,
    process: Process,
    request: str,
    call: Callable[[], T],
    timeout_ms: float,
    hold: Callable[[Callable[[], None]], None] | None = None,
) -> T:
    """Sends a request and waits for its answer.

    Raises Refused, ConnectionLost, or KafkaException when no answer comes in time.

    `hold` keeps a late request until it arrives.
    """
    world.passes(process, f"before {request}")
    fate = world.fate(process, request)
    if fate is Fate.ARRIVES:
        answer = call()
        world.passes(process, f"after {request}")
        return answer
    if fate is Fate.UNANSWERED:
        _ignoring_refusals(call)
    elif fate in (Fate.LATE, Fate.REPEATED):
        late = partial(_ignoring_refusals, call)
        hold(late) if hold else world.after(world.delay_ms("late"), late)
        if fate is Fate.REPEATED:
            raise ConnectionLost
    world.wait_until(lambda: False, FOR_EVER_MS if fate is Fate.HANGS else timeout_ms, process)
    raise timed_out(request)


def _ignoring_refusals(call: Callable[[], object]) -> None:
    try:
        call()
    except Refused:
        return


def timed_out(request: str) -> KafkaException:
    """What a client raises that has got no answer; the same call may be made again."""
    return KafkaException(KafkaError(KafkaError._TIMED_OUT, f"{request}: no answer in time", retriable=True))
