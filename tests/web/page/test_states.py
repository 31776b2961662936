"""Every page in every state: seen in light, dark and on a phone, and by a screen reader; nothing is cut off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from botmeter.web.page.rendering import account_url

from . import states
from .conftest import PICTURES, Site

_ACCOUNT: Final = account_url(states.NEAR)
PAGES: Final = {
    "accounts": "/billing/accounts",
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
    "what-if": f"{account_url(states.OUT)}/what-if?packs=2",
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


#: Between desk and phone it is the frame and the tables that change.
ON_A_TABLET: Final = frozenset({"accounts", "near-the-end", "sessions", "settings", "what-if"})


@pytest.mark.parametrize("sight", SIGHTS)
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
            found = Axe().run(page)
            assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found.response["violations"]] == []
