"""Connects the application to Kafka and the read side, for as long as it runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI

from botmeter.client import AsyncClient, Connection
from botmeter.readside.hosted import read_side
from botmeter.readside.hosted_process import ProjectionJob
from botmeter.readside.projection import Progress, Source
from botmeter.settings.model import Settings
from botmeter.web.entitlement.service import Entitlement
from botmeter.web.services import Services

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider


def connected(
    settings: Settings,
    source: Source,
    on_progress: Callable[[Progress], None] = lambda _: None,
    tracer_provider: TracerProvider | None = None,
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """Returns the application's lifespan, which starts its services and stops them at the end.

    The read side projects `source` and calls `on_progress`, which must be quick. Traces go to `tracer_provider`.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        job = ProjectionJob(
            url=settings.readside_database(),
            source=source,
            batch_records=settings.readside_batch_records,
            hours_days=settings.readside_hours_days,
            log_level=settings.log_level,
            log_format=settings.log_format,
        )
        with read_side(job, on_progress, settings.pseudonyms()) as hosted:
            connection = Connection(settings.bootstrap_servers, settings.topics(), settings.kafka, tracer_provider)
            async with AsyncClient(connection) as client:
                entitlement = Entitlement(settings)
                try:
                    app.state.services = Services(hosted.queries, client, entitlement, hosted.used_links)
                    yield
                finally:
                    await entitlement.close()

    return lifespan
