"""Engines with one fault planted in each, for the histories to find."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from botmeter.engine import transaction
from botmeter.engine.running_state import RunningState
from botmeter.engine.transaction import Transaction
from botmeter.kafka import clients, questions
from botmeter.metering.state import Changes
from botmeter.metering.store import StoreUpdate
from memory_kafka.consumer import MemoryConsumer
from memory_kafka.groups import Membership
from memory_kafka.producer import MemoryProducer

from .plan import Plan


def offsets_outside_the_transaction(patch: pytest.MonkeyPatch) -> None:
    """They are committed at once, whatever becomes of the transaction."""
    send = MemoryProducer.send_offsets_to_transaction

    def commit(self: MemoryProducer, offsets: Any, metadata: Any, timeout: float = -1) -> None:
        send(self, offsets, metadata, timeout)
        told = {(each.topic, each.partition): each.offset for each in offsets}
        self._broker.group(metadata.group).offsets.update(told)

    patch.setattr(MemoryProducer, "send_offsets_to_transaction", commit)


def store_before_commit(patch: pytest.MonkeyPatch) -> None:
    """The store has what a transaction decided before that is committed, or aborted."""
    transact = Transaction._transact

    def write_first(self: Transaction, work: Any, *others: Any) -> Any:
        for each in work:
            states, changes = each.part.states, each.part.decided.changes
            accounts = {account.account_id: each.encoded[key] for key, account in changes.accounts.items()}
            mark = states._mark(states.journal_offset, None)
            states.store.write(StoreUpdate(accounts, changes.windows, changes.chats, mark))
        return transact(self, work, *others)

    patch.setattr(Transaction, "_transact", write_first)


def restore_of_what_is_not_committed(patch: pytest.MonkeyPatch) -> None:
    """A restore reads past the last stable offset."""
    config = clients.reader_config

    def careless(*args: Any) -> clients.Config:
        return {**config(*args), "isolation.level": "read_uncommitted"}

    patch.setattr(clients, "reader_config", careless)


def restore_that_stops_short(patch: pytest.MonkeyPatch) -> None:
    """A restore ends at the last stable offset, below what an open transaction is about to commit."""
    patch.setattr(questions, "end_offsets", questions.stable_offsets)


def fencing_ignored(patch: pytest.MonkeyPatch) -> None:
    """A commit comes as from outside the group."""

    def nobody(self: MemoryConsumer) -> Membership:
        return Membership(self._group_name, "", -1)

    patch.setattr(MemoryConsumer, "consumer_group_metadata", nobody)
    patch.setattr(MemoryConsumer, "memberid", lambda _: "somebody")


def producer_kept_after_a_retry(patch: pytest.MonkeyPatch) -> None:
    """The producer whose request was repeated goes on, and the first of the two may yet come."""
    patch.setattr(Transaction, "_ask", lambda _, __, call, deadline: transaction._resumed(call, deadline))


def store_without_chats(patch: pytest.MonkeyPatch) -> None:
    """The store forgets which chats were handed off; whoever goes on with it may hand one off again."""
    commit = RunningState.commit

    def forget(self: RunningState, changes: Changes, *others: Any) -> None:
        changes.chats = {}
        commit(self, changes, *others)

    patch.setattr(RunningState, "commit", forget)


def producer_kept_after_a_lost_connection(patch: pytest.MonkeyPatch) -> None:
    """As above, where the client repeated the request by itself."""
    patch.setattr(Transaction, "_note_loss", lambda _: None)


#: The fault, and the plan of histories in which it matters; None: as their seeds draw them.
MUTANTS: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], Plan | None]] = {
    "offsets outside the transaction": (offsets_outside_the_transaction, None),
    "store before commit": (store_before_commit, None),
    "store without chats": (store_without_chats, None),
    "restore of what is not committed": (restore_of_what_is_not_committed, None),
    # Whoever takes over finds a transaction half ended.
    "restore that stops short": (
        restore_that_stops_short,
        Plan(3, 2, 80, {"after commit": {3, 6, 9, 12, 15, 18}}, slow_share=0.3),
    ),
    # Workers freeze with a batch in their hands, and others take over meanwhile.
    "fencing ignored": (fencing_ignored, Plan(3, 3, 80, slow_share=0.1, unrest=12)),
    "producer kept after a retry": (
        producer_kept_after_a_retry,
        Plan(3, 2, 80, late_end_share=0.3, unrest=6, switch_share=0.9),
    ),
    "producer kept after a lost connection": (
        producer_kept_after_a_lost_connection,
        Plan(3, 2, 80, late_end_share=0.3, unrest=6, switch_share=0.9),
    ),
}
