"""The findings in words."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator
from typing import Final

from botmeter.contracts.topics import Topics
from botmeter.verification.findings import Difference, Findings

_COLUMNS: Final = 80


def figures(findings: Findings, topics: Topics) -> Iterator[str]:
    """The counts, a line each."""
    outcomes, confirmed = findings.outcomes, findings.confirmed
    letters, alerts = confirmed[topics.dead_letters.name], confirmed[topics.alerts.name]
    journal, handoffs = confirmed[topics.journal.name], confirmed[topics.handoffs.name]
    results = confirmed[topics.command_results.name]
    charged = ", ".join(f"{amount / 100:,.2f} {currency}" for currency, amount in sorted(findings.charged.items()))
    yield _row("interactions read", findings.interactions)
    yield _row("sessions charged", journal["session_started"])
    yield _row("duplicates absorbed", outcomes["covered"], "joined a session that was paid for already")
    yield _row("not metered", outcomes["ignored"], "bots, agents, the system, chats without a bot")
    yield _row("without a session", outcomes["refused"] + outcomes["handed_off"], "their accounts had none left")
    yield _row("dead letters", letters.total(), _listed(letters))
    yield _row("commands", findings.commands, _listed(results))
    yield _row("packs charged", journal["packs_purchased"], charged)
    yield _row("alerts", alerts.total(), _listed(alerts))
    yield _row("handoffs", handoffs.total(), _listed(handoffs))
    yield _row("overshoot", findings.overshoot, "sessions beyond an allowance")
    yield _row("balances equal", confirmed[topics.balances.name].total(), "each is where its account stood")
    yield _row("records equal", sum(types.total() for types in confirmed.values()), "all outputs, and what the inputs "
               "lead to")  # fmt: skip
    if findings.out_of_reach:
        yield _row(
            "out of reach", findings.out_of_reach.total(), "deleted by retention, or behind a hanging transaction"
        )
    if findings.commands_overtaken:
        yield _row("commands overtaken", findings.commands_overtaken, "taken after interactions the broker had later")
    if findings.rescues:
        yield _row("rescues", len(findings.rescues), "; ".join(findings.rescues))


def verdict(findings: Findings) -> str:
    """The verdict in one line: no difference, or how many of which kind."""
    if not findings.total:
        return "OK: no overshoot, no gap in versions, nothing missing, twice or altered"
    counts: Counter[str] = Counter()
    for (_, kind), count in findings.counts.items():
        counts[kind.replace("_", " ")] += count
    return f"NOT OK: {_counted(findings.total, 'difference')} ({_listed(counts)})"


def lines(difference: Difference) -> Iterator[str]:
    """One difference: where it is, what is wrong, and both values."""
    account = "" if difference.account_id is None else f"  account {difference.account_id}"
    yield f"{difference.kind.replace('_', ' ').upper()}  {difference.place}{account}"
    yield f"    {difference.explanation}"
    if difference.source is not None:
        yield f"    it follows from {difference.source}"
    if difference.expected is not None:
        yield f"    expected  {difference.expected}"
    if difference.found is not None:
        yield f"    found     {difference.found}"


def _row(name: str, count: int, explained: str = "") -> str:
    """One line, or more where the explanation is long."""
    head = f"  {name:<22}{count:>9,}  "
    return textwrap.fill(head + explained, _COLUMNS, subsequent_indent=" " * len(head), break_on_hyphens=False)


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()))


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"
