"""Five hundred people look on: each is told the newest, nobody is queued for, and all of them are let go."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from botmeter.domain import commands as cmd
from botmeter.readside.database import open_database
from botmeter.readside.migrations import migrate
from botmeter.web.page.rendering import account_url
from web.application import alone, web_settings

from . import states
from .conftest import Site, page_site
from .stories import DAY, MAYA, project

WATCHERS = 500
ACCOUNT = account_url(states.QUIET)
#: An end to hanging, not a measure.
PATIENCE_S = 120


async def _watch(client: httpx.AsyncClient, connected: asyncio.Semaphore) -> list[str]:
    """What one is told, until the purchase shows."""
    told: list[str] = []
    async with client.stream("GET", f"{ACCOUNT}/stream") as answer:
        assert answer.status_code == 200
        event = ""
        async for line in answer.aiter_lines():
            if line.startswith("event: "):
                event = line.removeprefix("event: ")
                if not told:
                    connected.release()
                told.append(event)
            if event == "state" and "13,000" in line:
                return told
    raise AssertionError("the stream ended before the news")


async def _all_watch(site: Site, link: str, tell: Any) -> list[list[str]]:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(base_url=site.address, limits=limits, timeout=PATIENCE_S) as client:
        await client.get(link)
        connected = asyncio.Semaphore(0)
        async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
            watching = [group.create_task(_watch(client, connected)) for _ in range(WATCHERS)]
            for _ in watching:
                await connected.acquire()
            await asyncio.to_thread(tell)
        return [task.result() for task in watching]


@pytest.mark.chaos
def test_five_hundred_watchers_are_told_the_newest(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'readside.db'}")
    migrate(engine)
    now = states.now_ms()
    story = states.quiet(now)
    for partition in range(4):
        project(engine, story.events if partition == 0 else [], partition=partition, now=now, level_at=now + DAY)
    made: list[FastAPI] = []

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        made.append(app)
        app.state.services = alone(engine)
        yield

    def buy() -> None:
        before = len(story.events)
        story.obey(now, cmd.PurchasePacks(story.name(), MAYA, 10))
        project(engine, story.events[before:], partition=0, now=now, level_at=now + DAY)

    with page_site(web_settings(), lifespan) as site:
        told = asyncio.run(_all_watch(site, site.login("operator"), buy))
        live = made[0].state.live

        assert len(told) == WATCHERS
        assert all(len(events) <= 20 for events in told), "the newest of each kind, not a queue"
        while live.watched:  # whoever hung up is noticed at the next word
            time.sleep(0.05)
    engine.dispose()
