"""The summary that proves itself, in words."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator
from typing import Final

from botmeter.contracts.topics import Topics
from botmeter.demo.audit import Audit

_DIFFERENCES_MAX: Final = 10
_COLUMNS: Final = 80


def figures(audit: Audit, topics: Topics) -> Iterator[str]:
    """What was counted."""
    tally, findings, written = audit.tally, audit.findings, audit.findings.written
    outcomes = tally.outcomes
    letters, alerts = written[topics.dead_letters.name], written[topics.alerts.name]
    journal, handoffs = written[topics.journal.name], written[topics.handoffs.name]
    yield "Read back from the beginning of all topics, counted apart from the worker:"
    yield _row("interactions read", tally.interactions)
    yield _row("sessions charged", journal["session_started"])
    yield _row("duplicates absorbed", outcomes["covered"], "joined a session that was paid for already")
    yield _row("  of the same bytes", tally.repeated, "interactions sent twice, of any kind")
    yield _row("not metered", outcomes["ignored"], "bots, agents, the system, chats without a bot")
    yield _row("without a session", outcomes["refused"] + outcomes["handed_off"], "their accounts had none left")
    yield _row("dead letters", letters.total(), _listed(letters))
    yield _row("commands", tally.commands, _listed(written[topics.command_results.name]))
    yield _row("alerts", alerts.total(), _listed(alerts))
    yield _row("handoffs", handoffs.total(), _listed(handoffs))
    yield _row("overshoot", findings.overshoot, "sessions beyond an allowance")
    yield _row("balances equal", findings.balances, "the latest of each account, and its journal")
    yield _row("records equal", findings.equal, "all outputs, and what the inputs come to")


def verdict(audit: Audit) -> Iterator[str]:
    """Whether all of it agrees, and what does not."""
    differences = audit.findings.differences
    if not differences:
        yield "OK: no overshoot, no gap in versions, no session twice, no difference"
        return
    yield f"NOT OK: {len(differences)} {'difference' if len(differences) == 1 else 'differences'}"
    for difference in differences[:_DIFFERENCES_MAX]:
        yield f"  {difference}"
    if len(differences) > _DIFFERENCES_MAX:
        yield f"  and {len(differences) - _DIFFERENCES_MAX} more"


def _row(name: str, count: int, explained: str = "") -> str:
    """One line, or more where the explanation is long."""
    head = f"  {name:<22}{count:>9,}  "
    return textwrap.fill(head + explained, _COLUMNS, subsequent_indent=" " * len(head), break_on_hyphens=False)


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()))
