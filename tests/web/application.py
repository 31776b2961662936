"""The application on a server of its own, and the credentials that callers of each kind have."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any, Final, cast

import httpx
import uvicorn
from fastapi import FastAPI
from sqlalchemy import Engine
from starlette.types import ASGIApp

from botmeter.cli.project import source_of
from botmeter.readside.database import open_database
from botmeter.readside.migrations import migrate
from botmeter.readside.queries import Queries
from botmeter.readside.used_links import UsedLinks
from botmeter.settings.model import Settings
from botmeter.web.access.own_tokens import OwnTokens
from botmeter.web.access.roles import Role
from botmeter.web.app import Parts, make_app
from botmeter.web.running import connected
from botmeter.web.server import listen, public_url, server_config
from botmeter.web.services import Services
from postgresql import new_database
from worker.cluster import Cluster
from worker.process import WorkerProcess

SECRET: Final = "a secret of the tests, long enough for HS512 too, which asks for 64 bytes"  # noqa: S105 - it guards nothing
#: An end to hanging, not a measure.
PATIENCE_S: Final = 60.0


def web_settings(**changed: Any) -> Settings:
    return Settings(auth_secret=SECRET, http_port=0, http_rate_per_s=changed.pop("http_rate_per_s", 10_000), **changed)


def bearer(role: Role, *accounts: str, subject: str = "tester", valid_s: int = 600) -> dict[str, str]:
    """The header of a caller with this role."""
    token = OwnTokens(SECRET).bearer(subject, role, frozenset(accounts), valid_s, "botmeter", "")
    return {"Authorization": f"Bearer {token}"}


@contextmanager
def served(make: Callable[[str], ASGIApp], settings: Settings) -> Iterator[str]:
    """Serves what `make` gives for its address, on a free port; the address."""
    listening = listen(settings)
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    server = uvicorn.Server(server_config(make(address)))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield address
    finally:
        server.should_exit = True
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


@contextmanager
def database_alone(url: str) -> Iterator[Callable[[FastAPI], AbstractAsyncContextManager[None]]]:
    """A lifespan with an empty read side of its own, without Kafka: nothing is sent, nothing is decided."""
    engine = open_database(url)
    migrate(engine)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.services = alone(engine)
        yield

    yield lifespan
    engine.dispose()


def alone(engine: Engine) -> Services:
    """What answers questions to a read side; commands and entitlements are other tests'."""
    nobody = cast("Any", None)
    return Services(Queries(engine), nobody, nobody, UsedLinks(engine))


@contextmanager
def browser_at(settings: Settings, **parts: Any) -> Iterator[httpx.Client]:
    """A client that keeps cookies and follows no redirect, with the application behind it."""
    with (
        served(lambda address: make_app(Parts(settings, public_url(settings, address), **parts)), settings) as address,
        httpx.Client(base_url=address, timeout=PATIENCE_S) as client,
    ):
        yield client


def settings_of(cluster: Cluster, **changed: Any) -> Settings:
    """The settings of a server beside the cluster's workers."""
    variables = cluster.environment("web")
    names = {name.removeprefix("BOTMETER_").lower(): text for name, text in variables.items() if "KAFKA__" not in name}
    return web_settings(**{name: text for name, text in names.items() if name != "web_port"}, **changed)


@contextmanager
def read_side_of(cluster: Cluster, postgresql: str | None) -> Iterator[dict[str, str]]:
    """The settings of the read side: SQLite, which the server projects into by itself, unless there is a PostgreSQL.

    Into that, `botmeter project` projects while the block lasts.
    """
    if postgresql is None:
        yield {}
        return
    url = new_database(postgresql)
    with WorkerProcess(cluster.environment("readside", BOTMETER_READSIDE_URL=url), "project"):
        yield {"readside_url": url}


@contextmanager
def api_beside(cluster: Cluster, **changed: Any) -> Iterator[httpx.Client]:
    """The application connected to the cluster and ready to answer; a client of it without a credential."""
    settings = settings_of(cluster, **changed)
    with browser_at(settings, lifespan=connected(settings, source_of(settings))) as client:
        deadline = time.monotonic() + PATIENCE_S
        while client.get("/health").status_code == 503:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield client
