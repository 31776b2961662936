"""Is all that was promised true of what stands in the topics? Asked of the records alone, never of the worker. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

from botmeter.contracts import catalogue
from botmeter.domain import events as ev
from botmeter.domain.account import Account, evolve
from botmeter.domain.announcements import balance_of
from botmeter.domain.events import Event
from botmeter.metering.records import Header

#: Topic, partition and offset of the record that a dead letter is about, and its reason.
Letter = tuple[str, int, int, str]


@dataclass(slots=True)
class Findings:
    """What was counted, and every difference, in words."""

    #: Records of each output topic by their `type`, dead letters by their reason.
    written: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    #: Records that are as the inputs say they must be, over all topics compared in order.
    equal: int = 0
    #: Balances that are as the journal says they must be.
    balances: int = 0
    #: Sessions charged beyond the allowance (`T6`).
    overshoot: int = 0
    differences: list[str] = field(default_factory=list)


class Ledger:
    """Folds a journal, event by event, and checks what must hold of every journal."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self.accounts: dict[str, Account] = {}
        self._changed_at: dict[str, int] = {}
        self._sessions: set[str] = set()
        self._allowed: defaultdict[tuple[str, object], int] = defaultdict(int)
        self._charged: Counter[tuple[str, object]] = Counter()
        self._cycles: dict[str, int] = {}

    def take(self, event: Event) -> None:
        """The next event of the journal."""
        account_id = event.account_id
        try:
            self.accounts[account_id] = evolve(self.accounts.get(account_id), event)
        except ValueError as error:
            self._findings.differences.append(f"the journal has a gap: {error}")
        self._changed_at[account_id] = event.at
        if isinstance(event, ev.SessionStarted):
            self._count_session(event)
        else:
            self._allow(event)

    def balances(self) -> dict[str, bytes]:
        """What the balance of each account must be, as its record holds it."""
        return {
            id_: catalogue.BALANCES.encode(balance_of(account, self._changed_at[id_]))
            for id_, account in self.accounts.items()
        }

    def _count_session(self, event: ev.SessionStarted) -> None:
        if event.session_id in self._sessions:
            self._findings.differences.append(f"{event.account_id}: session {event.session_id} was charged twice")
        self._sessions.add(event.session_id)
        place = (event.account_id, "complimentary" if event.pool == "complimentary" else event.cycle_number)
        self._charged[place] += 1
        if self._charged[place] > self._allowed[place]:
            self._findings.overshoot += 1

    def _allow(self, event: Event) -> None:
        """How many sessions each pool may have: reckoned here once more, apart from the account's own counter."""
        account_id = event.account_id
        now = (account_id, self._cycles.get(account_id, 1))
        match event:
            case ev.ComplimentaryGranted():
                self._allowed[account_id, "complimentary"] += event.sessions
            case ev.PacksPurchased():
                self._allowed[now] += event.sessions
            case ev.SessionsCredited():
                place = (account_id, "complimentary") if event.pool == "complimentary" else now
                self._allowed[place] += event.sessions
            case ev.CycleStarted():
                self._cycles[account_id] = event.number
                if event.pool == "purchased":
                    self._allowed[account_id, event.number] += event.total
            case _:
                pass


def compare_overshoot(findings: Findings) -> None:
    """Zero, whatever happened (`T6`)."""
    if findings.overshoot:
        findings.differences.append(f"{findings.overshoot} sessions were charged beyond the allowance")


def compare_balances(findings: Findings, expected: Mapping[str, bytes], found: Mapping[str, bytes | None]) -> None:
    """The fold of the journal, and the latest record of each account in the balances, are the same (`J1`)."""
    for account_id in sorted({*expected, *found}):
        if expected.get(account_id) == found.get(account_id):
            findings.balances += 1
        else:
            findings.differences.append(
                f"{account_id}: its journal comes to {_text(expected.get(account_id))}, "
                f"its balance says {_text(found.get(account_id))}"
            )


def compare_sequence(
    findings: Findings, what: str, expected: Sequence[bytes | None], found: Iterable[bytes | None]
) -> None:
    """The records of one topic and partition are those that the inputs come to, in the same order."""
    for number, (wanted, had) in enumerate(zip_longest(expected, found)):
        if wanted != had:
            findings.differences.append(f"{what}, record {number}: should be {_text(wanted)}, is {_text(had)}")
            return  # all that follow are likely to differ too
        findings.equal += 1


def compare_letters(findings: Findings, expected: Iterable[Letter], found: Iterable[Letter]) -> None:
    """The dead letters are about the same records, for the same reasons; their order says nothing."""
    wanted, had = Counter(expected), Counter(found)
    findings.equal += (wanted & had).total()
    for differing, verb in ((wanted - had, "missing"), (had - wanted, "too many")):
        for (topic, partition, offset, reason), count in differing.items():
            findings.differences.append(f"dead letters: {count} {verb} of {topic}-{partition}@{offset}, {reason}")


def letter_of(headers: Iterable[Header]) -> Letter:
    """Which record a dead letter is about and why it is one."""
    letter = catalogue.DEAD_LETTERS.decode([*headers])
    return (*letter.place, letter.reason)


def _text(value: bytes | None) -> str:
    return "nothing" if value is None else value.decode("utf-8", "replace")
