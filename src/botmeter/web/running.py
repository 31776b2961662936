"""Connects the application to Kafka and the read side, for as long as it runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI

from botmeter.client import AsyncClient, Connection
from botmeter.readside.hosted import read_side
from botmeter.readside.projection import Progress, Source
from botmeter.settings.model import Settings
from botmeter.web.entitlement.service import Entitlement
from botmeter.web.services import Services


def connected(
    settings: Settings, source: Source, on_progress: Callable[[Progress], None] = lambda _: None
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """The application's lifespan: its services are there while it serves.

    `source` is what the read side projects, and `on_progress` is told how far it is; it must be quick.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        database, batch_records = settings.readside_database(), settings.readside_batch_records
        with read_side(database, source, batch_records, on_progress) as found:
            connection = Connection(settings.bootstrap_servers, settings.topics(), settings.kafka)
            async with AsyncClient(connection) as client:
                entitlement = Entitlement(settings)
                try:
                    app.state.services = Services(found.queries, client, entitlement, found.used_links)
                    yield
                finally:
                    await entitlement.close()

    return lifespan
