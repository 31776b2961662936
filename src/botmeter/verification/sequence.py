"""Compares the outputs of one topic and partition one by one, in order, with those that the inputs lead to."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from typing import Any, Final, Literal

from botmeter.verification.findings import Difference, Findings, Kind, shown
from botmeter.verification.records import Batches, Record, Stream
from botmeter.verification.wire import Identified, Identity, Shape

#: How far ahead to search for an output that is not the next one.
LOOK_AHEAD: Final = 256
#: How many identities are remembered, to distinguish an output that exists twice from an unexpected one.
_REMEMBERED: Final = 1_000
#: How many missing or early outputs may wait for their counterpart; beyond it the oldest are reported.
_WAITING_MAX: Final = 10_000

#: Which of a topic's records cannot be read: the `first`, which retention deleted, or the `last`, behind a transaction
#: that does not end.
Limits = frozenset[Literal["first", "last"]]
ALL: Final[Limits] = frozenset()
FIRST: Final[Limits] = frozenset({"first"})
LAST: Final[Limits] = frozenset({"last"})


class Sequence:
    """Compares in bounded memory: an output at another place than expected is searched for nearby.

    Records below the lower bound must all be expected; those at or above it may follow from inputs beyond the end.
    """

    def __init__(self, topic: str, partition: int, shape: Shape, findings: Findings) -> None:
        self.topic, self._partition = topic, partition
        self._shape, self._findings = shape, findings
        self._stream = Stream(())
        self._lower = self.resume_at = 0
        self._limits = ALL
        self._position = 0
        self._is_before_start: Callable[[Identified], bool] = lambda _: False
        self._ahead: deque[Identified] = deque()
        self._confirmed: deque[Identity] = deque(maxlen=_REMEMBERED)
        self._missing: dict[Identity, tuple[Any, str]] = {}
        #: Outputs found before they were expected.
        self._early: dict[Hashable, Identified] = {}
        #: Offsets at or above the lower bound that were taken already.
        self._taken: set[int] = set()

    def start_from(self, is_before_start: Callable[[Identified], bool]) -> None:
        """Ignores the records that precede the start."""
        self._is_before_start = is_before_start

    def begin(self, batches: Batches, lower: int, limits: Limits) -> None:
        """Starts a round with the records from `resume_at`; those below the offset `lower` must all be expected."""
        self._stream, self._lower, self._limits = Stream(batches), lower, limits
        self._ahead.clear()

    def head(self) -> Identified | None:
        """The next record, without taking it."""
        return self._peek(0)

    def expect(self, message: Any, identity: Identity, source: str) -> None:
        """Compares the next expected output; `source` names the record or timer from which it follows."""
        head = self._peek(0)
        if head is not None and head.identity == identity:
            self._take()
            self._compare(head, message, source)
        else:
            self._search(message, identity, source)

    def has(self, identity: Identity, type_: str) -> bool:
        """Whether an output of this identity and type exists nearby."""
        early = self._early.get(identity)
        if early is not None:
            return early.type == type_
        for distance in range(LOOK_AHEAD):
            item = self._peek(distance)
            if item is None or item.identity == identity:
                return item is not None and item.type == type_
        return False

    def skip(self) -> None:
        """Takes the next record without comparing it: it precedes the start."""
        self._take()

    @property
    def position(self) -> int:
        """The offset after the last record taken."""
        return self._position

    def take_unexpected(self) -> None:
        """Takes the next record, which is not the expected one: it may be early, late, a duplicate or wrong."""
        item = self._take()
        expected = self._missing.pop(item.identity, None)
        if expected is not None:
            self._report("out_of_order", item, "it comes after outputs that follow from later inputs", *expected)
        elif item.identity in self._early or item.identity in self._confirmed:
            self._report("twice", item, "the same output exists before it")
        else:
            self._early[item.identity] = item
            if len(self._early) > _WAITING_MAX:
                self._report_unexpected(self._early.pop(next(iter(self._early))))

    def finish(self) -> None:
        """Ends a round: outputs still expected are missing, and outputs left over below the lower bound unexpected."""
        while (item := self._peek(0)) is not None and self._offset(item) < self._lower:
            self.take_unexpected()
        for item in self._early.values():
            if self._offset(item) < self._lower:
                self._report_unexpected(item)
            else:
                self._taken.discard(self._offset(item))
        for identity, (message, source) in self._missing.items():
            self._report_missing(message, identity, source)
        self._early.clear()
        self._missing.clear()
        self._taken = {offset for offset in self._taken if offset >= self._lower}
        self.resume_at = self._lower

    # --- Reading ---

    def _peek(self, distance: int) -> Identified | None:
        while len(self._ahead) <= distance:
            record = self._next()
            if record is None:
                return None
            try:
                item = self._shape.identify(record)
            except ValueError as error:
                self._mark_taken(record.offset())
                self._report_unreadable(record, error)
                continue
            if not self._is_before_start(item):
                self._ahead.append(item)
        return self._ahead[distance]

    def _next(self) -> Record | None:
        while self._stream.peek() is not None:
            record = self._stream.take()
            if record.offset() not in self._taken:
                return record
        return None

    def _take(self) -> Identified:
        item = self._ahead.popleft()
        self._mark_taken(self._offset(item))
        return item

    def _mark_taken(self, offset: int) -> None:
        self._position = offset + 1
        if offset >= self._lower:
            self._taken.add(offset)

    # --- Comparing ---

    def _search(self, message: Any, identity: Identity, source: str) -> None:
        early = self._early.pop(identity, None)
        if early is not None:
            self._compare_early(early, message, source)
            return
        for distance in range(1, LOOK_AHEAD):
            item = self._peek(distance)
            if item is None:
                break
            if item.identity == identity:
                for _ in range(distance):
                    self.take_unexpected()
                self._take()
                self._compare(item, message, source)
                return
        if self._is_out_of_reach():
            self._findings.out_of_reach[self.topic] += 1
            return
        self._missing[identity] = message, source
        if len(self._missing) > _WAITING_MAX:
            oldest = next(iter(self._missing))
            self._report_missing(self._missing[oldest][0], oldest, self._missing.pop(oldest)[1])

    def _is_out_of_reach(self) -> bool:
        """Whether a missing output may have been deleted, or may lie behind a hanging transaction."""
        is_deleted = "first" in self._limits and not self._confirmed
        return is_deleted or ("last" in self._limits and self._peek(0) is None)

    def _compare_early(self, item: Identified, message: Any, source: str) -> None:
        """Compares an output that was found before it was expected."""
        self._report("out_of_order", item, "it comes before outputs that follow from earlier inputs", message, source)

    def _compare(self, item: Identified, message: Any, source: str) -> None:
        self._confirmed.append(item.identity)
        faults = self._shape.faults(message, item.record)
        if faults:
            self._report("altered", item, "; ".join(faults), message, source)
        else:
            self._findings.confirm(self.topic, item.type)

    # --- Reporting ---

    def _report(
        self, kind: Kind, item: Identified, explanation: str, message: Any = None, source: str | None = None
    ) -> None:
        self._findings.add(
            Difference(
                kind,
                self.topic,
                self._partition,
                self._offset(item),
                explanation,
                account_id=item.account_id,
                expected=None if message is None else shown(self._shape.encode(message)),
                found=shown(item.record.value()),
                source=source,
            )
        )

    def _report_unexpected(self, item: Identified) -> None:
        self._report("unexpected", item, "nothing in the inputs leads to it")

    def _report_missing(self, message: Any, identity: Identity, source: str) -> None:
        expected = shown(self._shape.encode(message))
        self._findings.add(
            Difference(
                "missing",
                self.topic,
                self._partition,
                None,
                f"the output {'/'.join(map(str, identity))} is missing",
                expected=expected,
                source=source,
            )
        )

    def _report_unreadable(self, record: Record, error: ValueError) -> None:
        self._findings.add(
            Difference(
                "unreadable",
                self.topic,
                self._partition,
                record.offset(),
                str(error),
                found=shown(record.value()),
            )
        )

    @staticmethod
    def _offset(item: Identified) -> int:
        return item.record.offset()
