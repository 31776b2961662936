"""Reading the page: its age when nothing comes any more, charts by pointing and as tables, parts that stay open."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from botmeter.web.page.rendering import account_url

from . import states
from .conftest import Site

#: An end to hanging, not a measure.
PATIENCE_MS = 60_000


def test_a_page_that_hears_nothing_turns_grey_and_dates_its_numbers(site: Site, open_page: Callable[..., Page]) -> None:
    page = open_page(site.login("operator"))
    page.route("**/stream", lambda route: route.abort())
    page.goto(site.address + account_url(states.NEAR))
    expect(page.locator("#age")).to_contain_text("live")

    expect(page.locator("body")).to_have_attribute("data-lag", "behind", timeout=PATIENCE_MS)
    expect(page.locator("#age")).to_contain_text("offline, as of")


def test_a_chart_tells_what_is_pointed_at(site: Site, open_page: Callable[..., Page]) -> None:
    page = open_page(site.login("operator"))
    page.goto(site.address + account_url(states.NEAR))
    page.locator("#burn-down svg.wide").hover(position={"x": 60, "y": 150})

    expect(page.locator("#burn-down .readout")).to_contain_text("sessions remain")


def test_a_table_stays_open_when_its_chart_is_renewed(site: Site, open_page: Callable[..., Page]) -> None:
    page = open_page(site.login("operator"))
    page.goto(site.address + account_url(states.NEAR))
    page.locator("#usage-table summary").click()
    page.get_by_role("link", name="widget", exact=True).click()

    expect(page.locator("#usage")).to_contain_text("conversations widget")
    expect(page.locator("#usage-table")).to_have_attribute("open", "")
    assert "by=widget" in page.url


def test_the_reason_of_a_charge_opens_and_closes_by_keyboard(site: Site, open_page: Callable[..., Page]) -> None:
    page = open_page(site.login("operator"))
    page.goto(site.address + account_url(states.NEAR))
    link = page.locator("[data-why]").first
    link.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".why")).to_contain_text("No session covered it.")
    expect(link).to_have_attribute("aria-expanded", "true")

    link.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".why")).to_have_count(0)


def test_the_colours_that_were_chosen_stay(site: Site, open_page: Callable[..., Page]) -> None:
    page = open_page(site.login("operator"))
    page.goto(f"{site.address}/billing/accounts")
    page.get_by_role("button", name="Use dark colours").click()
    page.goto(site.address + account_url(states.NEAR))

    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
