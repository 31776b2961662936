"""A real browser, and a real server with one account in each state behind it."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright
from sqlalchemy import Engine

from botmeter.readside.database import open_database
from botmeter.readside.migrations import migrate
from botmeter.settings.model import Settings
from botmeter.web.access.login import login_link
from botmeter.web.access.own_tokens import OwnTokens
from botmeter.web.access.roles import Role
from botmeter.web.app import Parts, make_app
from botmeter.web.page.routes import PAGE_ROUTERS
from botmeter.web.page.routes.standalone import error_page
from botmeter.web.server import public_url
from web.application import SECRET, alone, served, web_settings

from . import states

#: What a headless Chromium needs in a container, and what it need not do.
_ARGUMENTS: Final = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]
#: Where pictures go: kept by CI, not by git.
PICTURES: Final = Path(os.environ.get("BOTMETER_TEST_PICTURES", Path(__file__).parents[3] / "build" / "pictures"))
_NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The Chromium on the PATH, else the one playwright has installed.

    One for each module, because playwright's event loop keeps other tests of the process from running one.
    """
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    with sync_playwright() as playwright:
        executable = found or playwright.chromium.executable_path
        if not Path(executable).exists():
            pytest.fail(
                "no Chromium for the tests: install Debian's package chromium, or run `playwright install chromium`",
                pytrace=False,
            )
        started = playwright.chromium.launch(executable_path=executable, args=_ARGUMENTS)
        yield started
        started.close()


@dataclass(frozen=True)
class Site:
    """A running server and a way into it."""

    address: str

    def login(self, role: Role, *accounts: str, subject: str = "maya@northwind.example") -> str:
        """A login link."""
        return login_link(self.address, OwnTokens(SECRET).login_link_token(subject, role, frozenset(accounts)))


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The page with an account in each state; its read side is filled with journals that the rules decided."""
    with filled_site(tmp_path_factory.mktemp("states"), states.fill) as made:
        yield made


@pytest.fixture(scope="session")
def hostile_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The page with accounts whose every text is hostile."""
    with filled_site(tmp_path_factory.mktemp("hostile"), states.fill_with_hostile_text) as made:
        yield made


@contextmanager
def filled_site(directory: Path, fill: Callable[[Engine, int], None]) -> Iterator[Site]:
    """The page with a read side of its own, filled so; without Kafka."""
    engine = open_database(f"sqlite:///{directory / 'readside.db'}")
    migrate(engine)
    fill(engine, states.now_ms())

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.services = alone(engine)
        yield

    with page_site(web_settings(), lifespan) as made:
        yield made
    engine.dispose()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a page for a visitor; whatever goes wrong in it is in `page.wrong`, and fails the test at its end."""
    contexts, wrong = [], list[str]()

    def note_breach(said: ConsoleMessage) -> None:
        if "Content Security Policy" in said.text:
            wrong.append(f"{said.location}: {said.text}")

    def opened(login: str, *, scheme: str = "light", width: int = 1200, height: int = 900, **more: Any) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=cast("Any", scheme), **more
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", note_breach)
        page.goto(login)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert wrong == []


@contextmanager
def page_site(settings: Settings, lifespan: Lifespan) -> Iterator[Site]:
    """Serves the page on a free port."""

    def make(address: str) -> FastAPI:
        url = public_url(settings, address)
        return make_app(Parts(settings, url, lifespan=lifespan, page=PAGE_ROUTERS, error_page=error_page))

    with served(make, settings) as address:
        yield Site(address)
