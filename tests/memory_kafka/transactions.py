"""The transaction coordinator, as clients without KIP-890 meet it: one epoch for many transactions."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from enum import Enum
from functools import partial

from confluent_kafka import KafkaError

from .groups import Group, Membership
from .log import Log, Place, Refused
from .world import World


class State(Enum):
    """Where a transactional id stands."""

    EMPTY = "empty"
    ONGOING = "ongoing"
    PREPARE_COMMIT = "prepare commit"
    PREPARE_ABORT = "prepare abort"
    COMPLETE_COMMIT = "complete commit"
    COMPLETE_ABORT = "complete abort"


_PREPARING = (State.PREPARE_COMMIT, State.PREPARE_ABORT)


class _Id:
    """One transactional id."""

    def __init__(self, producer_id: int) -> None:
        self.producer_id, self.epoch, self.timeout_ms = producer_id, -1, 0
        self.state = State.EMPTY
        self.places: set[Place] = set()
        self.groups: set[str] = set()
        #: Of the transaction under way, so that a timeout ends no later one.
        self.number = 0


class TransactionCoordinator:
    """All transactional ids of the cluster."""

    def __init__(self, world: World, log_of: Callable[[Place], Log], group_of: Callable[[str], Group]) -> None:
        self._world, self._log_of, self._group_of = world, log_of, group_of
        self._ids: dict[str, _Id] = {}
        self._held: dict[str, list[Callable[[], None]]] = {}
        self._producer_ids = itertools.count(1_000)
        self._numbers = itertools.count(1)

    def init_producer(self, name: str, timeout_ms: int) -> tuple[int, int]:
        """A new epoch; ends what an earlier one has left open, and refuses until that is done."""
        id_ = self._ids.get(name)
        if id_ is None:
            id_ = self._ids[name] = _Id(next(self._producer_ids))
        if id_.state is State.ONGOING:
            id_.epoch += 1  # fences the earlier one at once
            self._end(id_, is_commit=False)
        if id_.state in _PREPARING:
            raise Refused(KafkaError.CONCURRENT_TRANSACTIONS)
        id_.epoch += 1
        id_.timeout_ms = timeout_ms
        id_.state = State.EMPTY
        return id_.producer_id, id_.epoch

    def add(self, name: str, producer: tuple[int, int], places: Iterable[Place], groups: Iterable[str] = ()) -> None:
        """Partitions and groups that the transaction will write to; the first of them begins it."""
        id_ = self._known(name, producer)
        if id_.state in _PREPARING:
            raise Refused(KafkaError.CONCURRENT_TRANSACTIONS)
        if id_.state is not State.ONGOING:
            id_.state, id_.number = State.ONGOING, next(self._numbers)
            self._world.after(id_.timeout_ms, partial(self._time_out, id_, id_.number))
        id_.places.update(places)
        id_.groups.update(groups)
        for held in self._held.pop(name, []):
            self._world.after(self._world.delay_ms("held"), held)

    def hold(self, name: str, request: Callable[[], None]) -> None:
        """A request that the network keeps until the next transaction of this name has begun."""
        self._held.setdefault(name, []).append(request)

    def require_open(self, name: str, producer: tuple[int, int], place: Place) -> None:
        """What a broker verifies before it takes a record of a transaction."""
        id_ = self._known(name, producer)
        if id_.state is not State.ONGOING or place not in id_.places:
            raise Refused(KafkaError.INVALID_TXN_STATE)

    def commit_offsets(
        self, name: str, producer: tuple[int, int], group: str, membership: Membership, offsets: dict[Place, int]
    ) -> None:
        """Offsets that count once the transaction is committed."""
        id_ = self._known(name, producer)
        self._group_of(group).require_member(membership)
        if id_.state is not State.ONGOING or group not in id_.groups:
            raise Refused(KafkaError.INVALID_TXN_STATE)
        self._group_of(group).pend(id_.producer_id, offsets)

    def end(self, name: str, producer: tuple[int, int], is_commit: bool) -> None:  # noqa: FBT001 - as in the protocol
        """Ends the transaction under way; the same answer again where it is asked for what was done."""
        id_ = self._known(name, producer)
        if id_.state is State.ONGOING:
            self._end(id_, is_commit)
        elif id_.state is (State.COMPLETE_COMMIT if is_commit else State.COMPLETE_ABORT):
            return
        elif id_.state is (State.PREPARE_COMMIT if is_commit else State.PREPARE_ABORT):
            raise Refused(KafkaError.CONCURRENT_TRANSACTIONS)
        else:
            raise Refused(KafkaError.INVALID_TXN_STATE)

    @property
    def is_settled(self) -> bool:
        """Whether no transaction is under way."""
        return all(id_.state is not State.ONGOING and id_.state not in _PREPARING for id_ in self._ids.values())

    def _known(self, name: str, producer: tuple[int, int]) -> _Id:
        id_ = self._ids.get(name)
        if id_ is None or id_.producer_id != producer[0]:
            raise Refused(KafkaError.INVALID_PRODUCER_ID_MAPPING)
        if id_.epoch != producer[1]:
            raise Refused(KafkaError.INVALID_PRODUCER_EPOCH)
        return id_

    def _time_out(self, id_: _Id, number: int) -> None:
        if id_.state is State.ONGOING and id_.number == number:
            id_.epoch += 1
            self._end(id_, is_commit=False)

    def _end(self, id_: _Id, is_commit: bool) -> None:  # noqa: FBT001 - as above
        """It is decided; the partitions hear of it one by one."""
        id_.state = State.PREPARE_COMMIT if is_commit else State.PREPARE_ABORT
        left: list[Place | str] = [*sorted(id_.places), *sorted(id_.groups)]
        id_.places, id_.groups = set(), set()
        producer = id_.producer_id, id_.epoch
        unheard = set(left)

        def hears(what: Place | str) -> None:
            if isinstance(what, str):
                self._group_of(what).settle(producer[0], is_commit)
            else:
                self._log_of(what).end(producer, is_commit, self._world.now_ms)
            unheard.discard(what)
            if not unheard:
                id_.state = State.COMPLETE_COMMIT if is_commit else State.COMPLETE_ABORT

        for what in left:
            self._world.after(self._world.delay_ms("marker"), partial(hears, what))
