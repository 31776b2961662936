"""A consumer group of the classic protocol with cooperative members: who has which partition, and what is committed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import NamedTuple, Protocol

from confluent_kafka import KafkaError

from .log import Place, Refused
from .world import Process, World


class Membership(NamedTuple):
    """What a client tells of itself when it commits: fences the one that is no member any more."""

    group: str
    member_id: str
    generation: int


class Client(Protocol):
    """The part of a consumer that the group talks to."""

    @property
    def process(self) -> Process:
        """Where it lives."""

    @property
    def is_beating(self) -> bool:
        """Whether heartbeats come."""

    def hear(self) -> None:
        """Something changed in the group."""


class Member:
    """One member, as the coordinator knows it."""

    def __init__(self, id_: str, client: Client, topics: list[str], session_ms: int) -> None:
        self.id, self.client, self.topics, self.session_ms = id_, client, topics, session_ms
        self.owned: set[Place] = set()
        self.has_joined = True
        self.assignment: set[Place] = set()


class Group:
    """One group."""

    def __init__(self, name: str, world: World, partitions_of: Callable[[str], int], patience_ms: int) -> None:
        """`patience_ms`: how long a rebalance waits for members that do not join again."""
        self._name, self._world, self._partitions_of, self._patience_ms = name, world, partitions_of, patience_ms
        self._numbers = itertools.count(1)
        self.generation = 0
        self.is_rebalancing = False
        self._round = 0
        self.members: dict[str, Member] = {}
        #: Members and those that were or only ask.
        self.clients: dict[Client, None] = {}
        self.offsets: dict[Place, int] = {}
        #: The texts that were committed with them, where there are any.
        self.texts: dict[Place, str] = {}
        self._pending: dict[int, dict[Place, int]] = {}

    # --- Membership ---

    def join(self, client: Client, topics: list[str], session_ms: int) -> str:
        """A new member; its id."""
        id_ = f"member-{next(self._numbers)}"
        self._require_round()
        self.members[id_] = Member(id_, client, topics, session_ms)
        self._finish_round()
        return id_

    def join_again(self, id_: str, owned: set[Place]) -> None:
        """A member joins the round under way, or begins one, and tells what it has."""
        self._require_round()
        self.members[id_].owned, self.members[id_].has_joined = owned, True
        self._finish_round()

    def leave(self, id_: str) -> None:
        """A member leaves or is thrown out."""
        if self.members.pop(id_, None) is not None:
            self._require_round()
            self._finish_round()

    def watch(self, member: Member) -> None:
        """The member's heartbeats may have stopped: it is thrown out unless they come again in time."""
        self._world.after(member.session_ms, partial(self._expire, member))

    def require_member(self, membership: Membership) -> None:
        """What a commit is asked. Raises Refused; no member and no generation is a commit from outside."""
        if not membership.member_id and membership.generation < 0:
            return
        if membership.member_id not in self.members:
            raise Refused(KafkaError.UNKNOWN_MEMBER_ID)
        if membership.generation != self.generation:
            raise Refused(KafkaError.ILLEGAL_GENERATION)

    def _expire(self, member: Member) -> None:
        if not member.client.is_beating and self.members.get(member.id) is member:
            self.leave(member.id)

    def _require_round(self) -> None:
        """Everybody has to join again."""
        if self.is_rebalancing:
            return
        self.is_rebalancing = True
        self._round += 1
        for member in self.members.values():
            member.has_joined = False
        number = self._round
        self._world.after(self._patience_ms, lambda: self._end_patience(number))
        self._tell()

    def _end_patience(self, number: int) -> None:
        if self.is_rebalancing and self._round == number:
            for member in [each for each in self.members.values() if not each.has_joined]:
                del self.members[member.id]
            self._finish_round()

    def _finish_round(self) -> None:
        if not self.is_rebalancing or not all(member.has_joined for member in self.members.values()):
            return
        self.is_rebalancing = False
        self.generation += 1
        wanted = self._wanted()
        owners = {place: member.id for member in self.members.values() for place in member.owned}
        for member in self.members.values():
            member.assignment = {place for place in wanted[member.id] if owners.get(place, member.id) == member.id}
        self._tell()

    def _wanted(self) -> Mapping[str, set[Place]]:
        """Evenly, and whoever has a partition keeps it where that is even."""
        topics = {topic for member in self.members.values() for topic in member.topics}
        places = [(topic, number) for topic in sorted(topics) for number in range(self._partitions_of(topic))]
        members = [self.members[id_] for id_ in sorted(self.members)]
        wanted: dict[str, set[Place]] = {member.id: set() for member in members}
        if not members:
            return wanted
        most = -(-len(places) // len(members))
        free = set(places)
        for member in sorted(members, key=lambda each: -len(each.owned)):
            keeps = sorted(member.owned & free)[:most]
            wanted[member.id].update(keeps)
            free.difference_update(keeps)
        for place in sorted(free):
            least = min(members, key=lambda member: (len(wanted[member.id]), member.id))
            wanted[least.id].add(place)
        return wanted

    def _tell(self) -> None:
        for member in self.members.values():
            self._world.after(self._world.delay_ms("heartbeat"), member.client.hear)

    # --- Offsets ---

    def pend(self, producer_id: int, offsets: Mapping[Place, int]) -> None:
        """Offsets of a transaction that is not ended yet."""
        self._pending.setdefault(producer_id, {}).update(offsets)

    def settle(self, producer_id: int, is_commit: bool) -> None:  # noqa: FBT001 - as in the protocol
        """The transaction is ended."""
        offsets = self._pending.pop(producer_id, {})
        if is_commit:
            self._set(offsets, {})

    def commit(self, membership: Membership, offsets: Mapping[Place, int], texts: Mapping[Place, str]) -> None:
        """Offsets committed without a transaction, some with a text."""
        self.require_member(membership)
        self._set(offsets, texts)

    def _set(self, offsets: Mapping[Place, int], texts: Mapping[Place, str]) -> None:
        self.offsets.update(offsets)
        for place in offsets:
            self.texts.pop(place, None)
        self.texts.update(texts)

    def is_stable(self, places: Iterable[Place]) -> bool:
        """Whether no transaction under way holds newer offsets of these."""
        pending = {place for offsets in self._pending.values() for place in offsets}
        return pending.isdisjoint(places)
