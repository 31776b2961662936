"""Connects the application to Kafka and the read side, for as long as it runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI

from botmeter.client import AsyncClient, Connection
from botmeter.readside.hosted import read_side
from botmeter.readside.projection import Source
from botmeter.settings.model import Settings
from botmeter.web.entitlement.service import Entitlement
from botmeter.web.services import Services


def connected(settings: Settings, source: Source) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """The application's lifespan: its services are there while it serves. `source` is what the read side projects."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with read_side(settings.readside_database(), source, settings.readside_batch_records) as queries:
            connection = Connection(settings.bootstrap_servers, settings.topics(), settings.kafka)
            async with AsyncClient(connection) as client:
                entitlement = Entitlement(settings)
                try:
                    app.state.services = Services(queries, client, entitlement)
                    yield
                finally:
                    await entitlement.close()

    return lifespan
