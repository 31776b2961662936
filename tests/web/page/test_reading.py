"""Reading the page: its age when nothing comes any more, charts by pointing and as tables, parts that stay open."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from playwright.sync_api import Page, expect
from sqlalchemy import Engine

from botmeter.web.page.rendering import account_url

from . import states
from .conftest import Site, filled_site
from .stories import DAY, project

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


def test_sessions_of_some_days_are_found_and_all_of_them_come_as_a_file(
    site: Site, open_page: Callable[..., Page]
) -> None:
    page = open_page(site.login("billing_admin", states.NEAR))
    page.goto(f"{site.address}{account_url(states.NEAR)}/sessions")
    zone = ZoneInfo("Asia/Kolkata")
    day = datetime.fromtimestamp(states.now_ms() / 1000, zone).date() - timedelta(days=3)
    page.get_by_label("Bot").fill("refunds")
    page.get_by_label("From").fill(day.isoformat())
    page.get_by_label("To").fill(day.isoformat())
    page.get_by_role("button", name="Search").click()

    expect(page.locator(".found")).to_contain_text("sessions, newest first.")
    times = page.locator("table.sessions tbody time").evaluate_all("all => all.map(each => each.dateTime)")
    starts = [datetime.fromisoformat(time) for time in times]
    assert starts
    assert {start.date() for start in starts} == {day}
    with page.expect_download() as downloading:
        page.get_by_role("link", name="CSV").click()
    told = list(csv.DictReader(downloading.value.path().read_text().splitlines()))
    assert len(told) == len(starts)
    assert {row["bot_id"] for row in told} == {"refunds"}


def test_packs_are_counted_and_bought_for_by_keyboard_alone(site: Site, open_page: Callable[..., Page]) -> None:
    page = open_page(site.login("billing_admin", states.NEAR))
    page.goto(site.address + account_url(states.NEAR))
    seen = []
    while "buy-packs" not in seen:
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none", seen[-1]
        assert len(seen) < 60, seen
    page.keyboard.press("ArrowUp")

    expect(page.get_by_role("button", name=re.compile("Buy 2.packs for 200.USD"))).to_be_visible()
    assert seen[0] == "Skip to the content"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent").startswith("Buy 2")


def test_numbers_that_fall_behind_turn_grey_before_ones_eyes_and_are_live_again(
    tmp_path: Path, open_page: Callable[..., Page]
) -> None:
    def fill(engine: Engine, now: int) -> None:
        opened.append(engine)
        project(engine, states.quiet(now).events, partition=0, now=now, level_at=now + 3_000)

    opened: list[Engine] = []
    with filled_site(tmp_path, fill) as site:
        page = open_page(site.login("operator"))
        page.goto(site.address + account_url(states.QUIET))
        expect(page.locator("body")).to_have_attribute("data-lag", "level")
        expect(page.locator("body")).to_have_attribute("data-lag", "behind", timeout=PATIENCE_MS)
        expect(page.locator("#age")).to_contain_text("as of")
        expect(page.locator("#age")).not_to_contain_text("offline")

        now = states.now_ms()
        project(opened[0], [], partition=0, now=now, level_at=now + DAY)
        expect(page.locator("body")).to_have_attribute("data-lag", "level", timeout=PATIENCE_MS)
        expect(page.locator("#age")).to_contain_text("live")
