"""Every page in every state: seen in light, dark and on a phone, and by a screen reader; nothing is cut off."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from botmeter.web.page.rendering import account_url

from . import states
from .conftest import PICTURES, Site

_ACCOUNT: Final = account_url(states.NEAR)
PAGES: Final = {
    "accounts": "/billing/accounts",
    "accounts-near-the-end": "/billing/accounts?state=near_end",
    "accounts-none-found": "/billing/accounts?search=nobody",
    "near-the-end": _ACCOUNT,
    "exhausted": account_url(states.OUT),
    "quiet": account_url(states.QUIET),
    "complimentary-unused": account_url(states.FRESH),
    "free-without-packs": account_url(states.FREE),
    "closed": account_url(states.CLOSED),
    "lagging": account_url(states.LAGGING),
    "100k-sessions": account_url(states.LARGE),
    "1-session": account_url(states.ONE),
    "by-hour-and-bot": f"{_ACCOUNT}?bucket=hour&by=bot",
    "cumulative-by-widget": f"{_ACCOUNT}?cumulative=true&by=widget",
    "sessions": f"{_ACCOUNT}/sessions",
    "sessions-none-found": f"{_ACCOUNT}/sessions?end_user_id=nobody",
    "history": f"{_ACCOUNT}/history",
    "statements": f"{_ACCOUNT}/statements",
    "statement": f"{_ACCOUNT}/statements/1",
    "statement-checked": f"{_ACCOUNT}/statements/2?digest=0&signature=x",
    "what-if": f"{account_url(states.OUT)}/what-if?packs=2",
    "what-if-too-few": f"{_ACCOUNT}/what-if?packs=1",
    "what-if-too-early": f"{account_url(states.FRESH)}/what-if",
    "settings": f"{_ACCOUNT}/settings",
    "settings-closed": f"{account_url(states.CLOSED)}/settings",
    "not-found": "/billing/accounts/nobody",
    "login": "/login?problem=link",
    "login-expired": "/login?next=/billing/accounts/acme",
}
SIGHTS: Final = {
    "light": {"scheme": "light", "width": 1200},
    "dark": {"scheme": "dark", "width": 1200},
    "phone": {"scheme": "light", "width": 390, "height": 844},
    "tablet": {"scheme": "dark", "width": 768},
}


#: Every chart is told in a sentence and in a table of the same section.
_CHARTS_WITHOUT_WORDS: Final = """[...document.querySelectorAll("figure.chart")].filter((figure) =>
    !figure.querySelector("figcaption").textContent.trim() ||
    !figure.closest("section").querySelector("details.as-table tbody tr")
).map((figure) => figure.innerHTML.slice(0, 200))
"""
#: Between desk and phone it is the frame and the tables that change.
ON_A_TABLET: Final = frozenset({"accounts", "near-the-end", "sessions", "settings", "what-if"})


@pytest.mark.parametrize(
    "sight", [pytest.param(sight, marks=[pytest.mark.chaos] if sight == "dark" else []) for sight in SIGHTS]
)
def test_every_state_is_readable_for_everybody(
    sight: str, site: Site, open_page: Callable[..., Page], subtests: pytest.Subtests
) -> None:
    page = open_page(site.login("operator"), **SIGHTS[sight])
    folder = PICTURES / sight
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in PAGES.items():
        if sight == "tablet" and name not in ON_A_TABLET:
            continue
        if name.startswith("login"):
            page.context.clear_cookies()
        page.goto(site.address + path)
        page.evaluate("document.fonts.ready")
        page.screenshot(path=folder / f"{name}.png", full_page=True)
        with subtests.test(name):
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
            assert page.evaluate(_CHARTS_WITHOUT_WORDS) == []
            found = Axe().run(page)
            assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found.response["violations"]] == []


def test_a_statement_is_printed_without_the_page_around_it(site: Site, open_page: Callable[..., Page]) -> None:
    page = open_page(site.login("operator"), width=800)
    page.emulate_media(media="print")
    page.goto(f"{site.address}{_ACCOUNT}/statements/1")
    folder = PICTURES / "print"
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / "statement.png", full_page=True)

    expect(page.get_by_role("article")).to_be_visible()
    for around in (".top", ".foot", ".actions", "#check"):
        expect(page.locator(around).first).to_be_hidden()
    expect(page.locator("#digest")).to_have_text(re.compile("^[0-9a-f]{64}$"))
