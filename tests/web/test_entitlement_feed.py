"""The view of the journal on a real Kafka with a real worker: fed, waited for, made anew."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from random import Random

import pytest

from botmeter.contracts.topics import partition_of
from botmeter.web.entitlement.answer import Question
from botmeter.web.entitlement.service import Entitlement
from botmeter.web.entitlement.view import HandedOff, Opened
from worker.cluster import Cluster
from worker.traffic import command, interaction, opening

from .application import PATIENCE_S, settings_of

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
def metered(cluster: Cluster) -> Cluster:
    cluster.worker().restored(cluster.partitions)
    return cluster


@asynccontextmanager
async def following(cluster: Cluster) -> AsyncIterator[Entitlement]:
    entitlement = Entitlement(settings_of(cluster))
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not entitlement.is_ready:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
        yield entitlement
    finally:
        await entitlement.close()


def run(test: Callable[[Entitlement], Awaitable[None]], cluster: Cluster) -> None:
    async def all_of_it() -> None:
        async with following(cluster) as entitlement:
            await test(entitlement)

    asyncio.run(all_of_it())


class Published:
    """Writes records and knows where they are."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.places: list[tuple[str, int, int]] = []

    def say(self, account_id: str, end_user: str, **changed: object) -> tuple[str, int, int]:
        return self._put(self._cluster.topics.interactions, interaction(account_id, end_user, **changed))

    def ask(self, fields: dict[str, object]) -> tuple[str, int, int]:
        return self._put(self._cluster.topics.commands, fields)

    def _put(self, topic: object, fields: dict[str, object]) -> tuple[str, int, int]:
        places: list[tuple[str, int, int]] = []
        self._cluster.put(
            topic,  # type: ignore[arg-type]
            str(fields["account_id"]),
            json.dumps(fields).encode(),
            on_delivery=lambda _, at: places.append((str(at.topic()), at.partition() or 0, at.offset() or 0)),
        )
        self._cluster.flush()
        return places[0]


def test_who_waits_for_a_command_or_an_interaction_is_answered_as_of_it(metered: Cluster) -> None:
    published = Published(metered)

    async def test(entitlement: Entitlement) -> None:
        assert entitlement.answer(Question("after-1"))[0] is None
        assert await entitlement.wait(*published.ask(opening("after-1")), timeout_s=PATIENCE_S)
        for number in range(10):
            found, _ = entitlement.answer(Question("after-1", f"u-{number}"))
            assert found is not None
            assert (found.answer, found.reason, found.remaining) == ("bot", "sessions_available", 10 - number)
            place = published.say("after-1", f"u-{number}")
            assert await entitlement.wait(*place, timeout_s=PATIENCE_S)
            found, as_of = entitlement.answer(Question("after-1", f"u-{number}"))
            assert found is not None
            assert (found.reason, found.remaining) == ("session_open", 9 - number)
            outcome = entitlement.outcome(place[1], place[0], place[2])
            assert isinstance(outcome, Opened)
            assert outcome.session_id == found.session.session_id  # type: ignore[union-attr]
        refused = published.say("after-1", "u-99")
        assert await entitlement.wait(*refused, timeout_s=PATIENCE_S)
        assert isinstance(entitlement.outcome(refused[1], refused[0], refused[2]), HandedOff)
        found, as_of = entitlement.answer(Question("after-1", "u-99"))
        assert found is not None
        assert (found.answer, found.reason) == ("agents", "sessions_exhausted")
        assert as_of.partition == partition_of(b"after-1", metered.partitions)
        assert as_of.offset > 0
        bought = published.ask(command("purchase_packs", "after-1", "buy", packs=1))
        assert await entitlement.wait(*bought, timeout_s=PATIENCE_S)
        found, _ = entitlement.answer(Question("after-1", "u-99"))
        assert found is not None
        assert (found.answer, found.remaining) == ("bot", 20)

    run(test, metered)


def test_an_interaction_that_leaves_no_trace_in_the_journal_can_be_waited_for(metered: Cluster) -> None:
    published = Published(metered)

    async def test(entitlement: Entitlement) -> None:
        published.ask(opening("after-2"))
        assert await entitlement.wait(*published.say("after-2", "u-1"), timeout_s=PATIENCE_S)
        for _ in range(20):
            assert await entitlement.wait(*published.say("after-2", "u-1"), timeout_s=PATIENCE_S)  # joins
        assert await entitlement.wait(*published.say("after-2", "u-2", actor="bot"), timeout_s=PATIENCE_S)
        assert await entitlement.wait(*published.say("nobody-2", "u-1"), timeout_s=PATIENCE_S)  # a dead letter

    run(test, metered)


def test_what_is_not_published_is_not_waited_for_for_ever(metered: Cluster) -> None:
    async def test(entitlement: Entitlement) -> None:
        assert not await entitlement.wait(metered.topics.interactions.name, 0, 10**9, timeout_s=0.2)

    run(test, metered)


def test_the_view_says_how_fresh_it_is_without_traffic_too(metered: Cluster) -> None:
    async def test(entitlement: Entitlement) -> None:
        begun = int(time.time() * 1000)
        deadline = time.monotonic() + PATIENCE_S
        while entitlement.answer(Question("anybody"))[1].at < begun:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)

    run(test, metered)


def test_a_view_made_anew_gives_the_same_answers(metered: Cluster) -> None:
    """Random traffic, then two views: one that followed it, and one that begins with snapshots.

    Both read over what somebody else has written to the journal.
    """
    dice, published = Random(7), Published(metered)
    accounts = [f"anew-{number}" for number in range(6)]
    asked = [
        Question(account, f"u-{number}", preview)
        for account in accounts
        for number in range(9)
        for preview in (False, True)
    ]

    async def test(entitlement: Entitlement) -> None:
        for account in accounts:
            metered.put(metered.topics.journal, account, b"no event")
            published.ask(opening(account, plan=dice.choice(["growth", "free"])))
        for number in range(300):
            metered.put(
                metered.topics.interactions,
                account := dice.choice(accounts),
                json.dumps(
                    interaction(account, f"u-{dice.randrange(9)}", preview=dice.random() < 0.3, event_id=f"e-{number}")
                ).encode(),
            )
        last = [published.say(account, "u-0") for account in accounts]
        for place in last:
            assert await entitlement.wait(*place, timeout_s=PATIENCE_S)
        known = [entitlement.answer(question)[0] for question in asked]
        assert {found.answer for found in known if found} == {"bot", "agents"}
        async with following(metered) as another:
            assert [another.answer(question)[0] for question in asked] == known

    run(test, metered)
