"""Formats numbers, money and moments for the account commands."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from botmeter.domain.prices import Money


def money(amount: Money | None) -> str:
    """Formats an amount, such as `200.00 USD`; None is `nothing`."""
    return "nothing" if amount is None else f"{amount.amount_minor / 100:,.2f} {amount.currency}"


def moment(at: int, zone: str) -> str:
    """Formats a moment (UTC ms) in the account's time zone, such as `1 Dec 2026 00:00 EST`."""
    local = datetime.fromtimestamp(at / 1000, UTC).astimezone(ZoneInfo(zone))
    return f"{local.day} {local:%b %Y %H:%M %Z}"


def exact(at: int, zone: str) -> str:
    """Formats a moment to the second."""
    local = datetime.fromtimestamp(at / 1000, UTC).astimezone(ZoneInfo(zone))
    return f"{local.day} {local:%b %Y %H:%M:%S %Z}"


def count(number: int, thing: str) -> str:
    """Formats a count, such as `1 pack` or `2,000 sessions`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def bar(used: int, total: int, width: int = 40) -> str:
    """Draws a bar of the used share, in characters that every terminal has."""
    full = width * used // total if total else 0
    return f"[{'#' * full}{'.' * (width - full)}]"


def table(head: tuple[str, ...], rows: list[tuple[str, ...]], numbers: frozenset[int]) -> str:
    """Formats rows as columns; columns in `numbers` are aligned to the right."""
    lines = [head, *rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.rjust(widths[place]) if place in numbers else cell.ljust(widths[place])
            for place, cell in enumerate(line)
        ).rstrip()
        for line in lines
    )
