"""The live view and the lines of text, from made-up models."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from botmeter.contracts.instants import millis
from botmeter.demo import progress
from botmeter.demo.model import Happening, Model, Sample
from botmeter.demo.view import Bar, Page, colour, render
from botmeter.domain.announcements import Balance, BalanceCycle
from verification.written import NOW_MS, TOPICS

ACCOUNTS = [f"account-{number}" for number in range(1, 14)]


def balance(account_id: str = "account-1", **fields: Any) -> Balance:
    usual: dict[str, Any] = {
        "version": 7,
        "at": NOW_MS,
        "status": "active",
        "plan": "growth",
        "pool": "purchased",
        "total": 2000,
        "used": 1500,
        "remaining": 500,
        "used_percent": 75.0,
        "packs": 2,
        "packs_next_cycle": 2,
        "cycle": BalanceCycle(3, "quarterly", 0, millis(datetime(2026, 12, 1, tzinfo=UTC))),
    }
    return Balance(account_id=account_id, **{**usual, **fields})


def busy_model() -> Model:
    model = Model(TOPICS)
    for number, account_id in enumerate(ACCOUNTS):
        model.balances[account_id] = balance(account_id, used=number * 150, used_percent=number * 7.5)
        model.handed_off[account_id] = number * 1000
    for number in range(50):
        model.alerts.append(Happening(NOW_MS + number, "account-1", number, f"alert {number}", "warning"))
        model.chats.append(Happening(NOW_MS + number, "account-2", number, f"c-1-{number}"))
    model.alert_lines = 50
    model.mails.append(Happening(NOW_MS, "account-3", 0, "80% of your bot sessions are used"))
    model.arrived.update({"email": 1_234, "webhook": 56})
    model.mail_latencies_ms.extend(range(100))
    model.alerted["threshold_reached"] = 50
    model.sessions = 12_345
    model.latencies_ms.extend(range(100))
    model.dead_letters.update({"malformed": 30, "invalid": 40, "too_late": 1})
    model.take_sample(Sample(1.0, 3_000, 2_900))
    model.take_sample(Sample(2.0, 6_000, 5_800))
    return model


def shown(model: Model, width: int, height: int) -> str:
    console = Console(width=width, height=height, file=io.StringIO(), record=True)
    console.print(render(model, Page("botmeter demo", "http://127.0.0.1:20000/billing", width, height), ACCOUNTS))
    return console.export_text()


@pytest.mark.parametrize(("width", "height"), [(60, 16), (80, 24), (100, 30), (120, 40), (200, 60)])
def test_the_page_fits_the_terminal(width: int, height: int) -> None:
    lines = shown(busy_model(), width, height).splitlines()

    assert len(lines) <= height
    assert max(map(len, lines)) <= width


def test_the_page_shows_accounts_alerts_chats_and_figures() -> None:
    text = shown(busy_model(), 120, 40)

    assert "account-13" in text
    assert "1,500 / 2,000" in text
    assert "12,000" in text  # chats of the last account
    assert "alert 49" in text
    assert "c-1-49" in text
    assert "chats to agents (78,000)" in text
    assert "sent 3,000/s (6,000)" in text
    assert "metered 2,900/s (5,800)" in text
    assert "12,345 sessions" in text
    assert "half within 50 ms, 99 % within 99 ms" in text
    assert "interaction's broker timestamp to its committed session, read" in text
    assert "71  invalid 40, malformed 30, too_late 1" in text


def test_a_small_terminal_shows_the_latest_of_the_feeds() -> None:
    text = shown(busy_model(), 80, 24)

    assert "alert 49" in text
    assert "alert 40" not in text


def test_before_anything_has_happened_there_is_a_page_too() -> None:
    text = shown(Model(TOPICS), 100, 30)

    assert "account-1" in text
    assert "not yet" in text


@pytest.mark.parametrize(
    ("used", "total", "bar"),
    [
        (0, 500, "··········"),
        (250, 500, "█████·····"),
        (499, 500, "█████████▉"),
        (500, 500, "██████████"),
        (0, 0, "··········"),
    ],
)
def test_a_bar_is_full_only_when_all_is_used(used: int, total: int, bar: str) -> None:
    console = Console(width=10, file=io.StringIO(), record=True)
    console.print(Bar(used, total, "green"))

    assert console.export_text() == f"{bar}\n"


@pytest.mark.parametrize(
    ("status", "percent", "expected"),
    [
        ("active", 79.9, "green"),
        ("active", 80.0, "yellow"),
        ("exhausted", 100.0, "red"),
        ("exhausted", 0.0, "red"),
        ("closed", 100.0, "dim"),
    ],
)
def test_colours_warn_from_80_percent(status: str, percent: float, expected: str) -> None:
    assert colour(balance(status=status, used_percent=percent)) == expected


def test_lines_of_text_tell_each_alert_once() -> None:
    model = busy_model()

    assert [line.rpartition(": ")[2] for line in progress.new_lines(model, seen=47)] == [
        "alert 47",
        "alert 48",
        "alert 49",
    ]
    assert list(progress.new_lines(model, seen=50)) == []


def test_lines_of_text_hold_the_figures() -> None:
    line = progress.figures(busy_model())

    assert "sent 6,000 (3,000/s), metered 5,800 (2,900/s), 12,345 sessions" in line
    assert "latency p50 50 ms p99 99 ms" in line
