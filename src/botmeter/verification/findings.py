"""The findings of the witness: every difference, and its counts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

#: What is wrong with an output.
Kind = Literal[
    "missing",  # the inputs lead to it, and it does not exist
    "twice",  # it exists more than once
    "unexpected",  # nothing in the inputs leads to it
    "altered",  # its content differs
    "out_of_order",  # it exists, at another place than expected
    "unreadable",  # it is no message of its topic
    "overshoot",  # a session was charged beyond the allowance (T6)
    "hanging_transaction",  # readers wait for a transaction that does not end
]

#: How many differences are kept; all are counted.
KEPT_MAX: Final = 1_000
_SHOWN_CHARACTERS_MAX: Final = 1_500


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference: where it is, the output that the inputs lead to, and the output found.

    `offset` is None where nothing was found. `source` is the record or timer from which the expected output follows.
    """

    kind: Kind
    topic: str
    partition: int
    offset: int | None
    explanation: str
    account_id: str | None = None
    expected: str | None = None
    found: str | None = None
    source: str | None = None

    def as_fields(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @property
    def place(self) -> str:
        """Topic, partition and offset."""
        at = "" if self.offset is None else f"@{self.offset}"
        return f"{self.topic}-{self.partition}{at}"


@dataclass(slots=True)
class Findings:
    """The findings of one verification; shared by its partitions."""

    #: Called with each difference as it is found.
    on_difference: Callable[[Difference], None] = lambda _: None
    differences: list[Difference] = field(default_factory=list)
    #: Differences by topic and kind; the sum is their number.
    counts: Counter[tuple[str, Kind]] = field(default_factory=Counter)
    interactions: int = 0
    commands: int = 0
    #: Interactions by outcome, dead letters of both inputs by reason.
    outcomes: Counter[str] = field(default_factory=Counter)
    #: Outputs that equal the expected ones, by topic and type; dead letters by their reason.
    confirmed: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    #: Expected outputs that cannot be checked, by topic: deleted by retention, or behind a hanging transaction.
    out_of_reach: Counter[str] = field(default_factory=Counter)
    #: Commands that were taken after interactions the broker had received later.
    commands_overtaken: int = 0
    #: The broker's time of the latest interaction taken, UTC ms.
    verified_up_to: int = 0
    #: Sessions charged beyond an allowance (T6).
    overshoot: int = 0
    #: Rescues of failed partitions by operators, in words, in the order of the log.
    rescues: dict[str, None] = field(default_factory=dict)
    #: Packs charged, in minor units, by currency.
    charged: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """The number of differences."""
        return self.counts.total()

    def confirm(self, topic: str, type_: str) -> None:
        """Counts an output that equals the expected one."""
        self.confirmed[topic][type_] += 1

    def add(self, difference: Difference) -> None:
        """Adds a difference and reports it."""
        self.counts[difference.topic, difference.kind] += 1
        if len(self.differences) < KEPT_MAX:
            self.differences.append(difference)
        self.on_difference(difference)


def shown(value: bytes | None) -> str | None:
    """A record's value as readable text, cut when it is long."""
    if value is None:
        return None
    text = value.decode("utf-8", "backslashreplace")
    return text if len(text) <= _SHOWN_CHARACTERS_MAX else f"{text[:_SHOWN_CHARACTERS_MAX]}... ({len(value)} bytes)"
