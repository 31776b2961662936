"""Whatever a topic brings is text on every page, and does nothing."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from botmeter.web.page.rendering import account_url

from . import states
from .conftest import Site

_PATHS = ("", "?by=bot", "/sessions", "/history", "/statements", "/statements/1", "/what-if", "/settings")


def test_markup_in_any_field_is_shown_as_text(hostile_site: Site, open_page: Callable[..., Page]) -> None:
    page = open_page(hostile_site.login("operator", subject=states.HOSTILE))
    base = account_url(states.HOSTILE)
    page.goto(f"{hostile_site.address}/billing/accounts")
    expect(page.get_by_role("link", name=states.HOSTILE, exact=True)).to_be_visible()
    for path in _PATHS:
        page.goto(hostile_site.address + base + path)
        expect(page.locator(".crumbs .who")).to_have_text(states.HOSTILE)
        assert page.evaluate("document.querySelectorAll('main script, main img').length") == 0
        assert page.title() != "hacked"


def test_markup_is_text_in_the_reason_of_a_charge_too(hostile_site: Site, open_page: Callable[..., Page]) -> None:
    page = open_page(hostile_site.login("operator"))
    page.goto(hostile_site.address + account_url(states.HOSTILE))
    page.locator("[data-why]").first.click()
    why = page.locator(".why")
    expect(why).to_contain_text("<script>document.title='hacked'</script>{{7*7}}")
    assert page.title() != "hacked"


def test_what_a_mail_server_said_is_text(hostile_site: Site, open_page: Callable[..., Page]) -> None:
    page = open_page(hostile_site.login("operator"))
    page.goto(f"{hostile_site.address}{account_url(states.HOSTILE)}/history")
    expect(page.locator(".timeline")).to_contain_text(f"mail to {states.HOSTILE} failed: {states.HOSTILE}")
    assert page.title() != "hacked"


def test_a_search_is_given_back_as_text(hostile_site: Site, open_page: Callable[..., Page]) -> None:
    page = open_page(hostile_site.login("operator"))
    page.goto(f"{hostile_site.address}/billing/accounts")
    page.get_by_role("searchbox").fill(states.HOSTILE + "?")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("searchbox")).to_have_value(states.HOSTILE + "?")
    assert page.title() != "hacked"


def test_an_id_wider_than_the_screen_stays_in_its_frame(hostile_site: Site, open_page: Callable[..., Page]) -> None:
    page = open_page(hostile_site.login("operator"), width=390, height=844)
    for path in ("/billing/accounts", *(account_url(states.LONG) + path for path in _PATHS)):
        page.goto(hostile_site.address + path)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
