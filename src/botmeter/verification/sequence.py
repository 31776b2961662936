"""The outputs of one topic and partition, compared one by one with those that the inputs lead to, in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from typing import Any, Final, Literal

from botmeter.verification.findings import Difference, Findings, Kind, shown
from botmeter.verification.records import Batches, Record, Stream
from botmeter.verification.wire import Identified, Identity, Shape

#: How far to look for an output that is not the next one.
LOOK_AHEAD: Final = 256
#: Identities remembered to tell an output that is there twice from one that should not be there.
_REMEMBERED: Final = 1_000
#: Outputs missing or passed over that wait for their counterpart; beyond it the oldest are reported.
_WAITING_MAX: Final = 10_000

#: Which of a topic's records cannot be read: the `first`, which retention deleted, or the `last`, behind a transaction
#: that does not end.
Limits = frozenset[Literal["first", "last"]]
ALL: Final[Limits] = frozenset()
FIRST: Final[Limits] = frozenset({"first"})
LAST: Final[Limits] = frozenset({"last"})


class Sequence:
    """Compares in bounded memory: an output that comes at another place than expected is looked for nearby.

    Records below the lower end must all be expected; those at or above it may belong to what follows the end.
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
        self._passed: dict[Hashable, Identified] = {}
        #: Offsets at or above the lower end that were taken already.
        self._taken: set[int] = set()

    def start_from(self, is_before_start: Callable[[Identified], bool]) -> None:
        """Leaves out the records that precede the start."""
        self._is_before_start = is_before_start

    def begin(self, batches: Batches, lower: int, limits: Limits) -> None:
        """Goes on with the records from `resume_at`; those below the offset `lower` must all be expected."""
        self._stream, self._lower, self._limits = Stream(batches), lower, limits
        self._ahead.clear()

    def head(self) -> Identified | None:
        """The next record, not taken yet."""
        return self._look(0)

    def expect(self, message: Any, identity: Identity, source: str) -> None:
        """The next output that the inputs lead to; `source` says from what it follows."""
        head = self._look(0)
        if head is not None and head.identity == identity:
            self._take()
            self._compare(head, message, source)
        else:
            self._search(message, identity, source)

    def has(self, identity: Identity, type_: str) -> bool:
        """Whether this output of this type is nearby."""
        early = self._passed.get(identity)
        if early is not None:
            return early.type == type_
        for distance in range(LOOK_AHEAD):
            item = self._look(distance)
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

    def pass_over(self) -> None:
        """Takes the next record without an output that is expected: it may be early, late, there twice or wrong."""
        item = self._take()
        wanted = self._missing.pop(item.identity, None)
        if wanted is not None:
            self._tell("out_of_order", item, "it comes after outputs that follow from later inputs", *wanted)
        elif item.identity in self._passed or item.identity in self._confirmed:
            self._tell("twice", item, "the same output was there before")
        else:
            self._passed[item.identity] = item
            if len(self._passed) > _WAITING_MAX:
                self._tell_unexpected(self._passed.pop(next(iter(self._passed))))

    def finish(self) -> None:
        """At the end of all inputs: what is left over was expected or found in vain."""
        while (item := self._look(0)) is not None and self._offset(item) < self._lower:
            self.pass_over()
        for item in self._passed.values():
            if self._offset(item) < self._lower:
                self._tell_unexpected(item)
            else:
                self._taken.discard(self._offset(item))
        for identity, (message, source) in self._missing.items():
            self._tell_missing(message, identity, source)
        self._passed.clear()
        self._missing.clear()
        self._taken = {offset for offset in self._taken if offset >= self._lower}
        self.resume_at = self._lower

    # --- Reading ---

    def _look(self, distance: int) -> Identified | None:
        while len(self._ahead) <= distance:
            record = self._next()
            if record is None:
                return None
            try:
                item = self._shape.identify(record)
            except ValueError as error:
                self._note_taken(record.offset())
                self._tell_unreadable(record, error)
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
        self._note_taken(self._offset(item))
        return item

    def _note_taken(self, offset: int) -> None:
        self._position = offset + 1
        if offset >= self._lower:
            self._taken.add(offset)

    # --- Comparing ---

    def _search(self, message: Any, identity: Identity, source: str) -> None:
        early = self._passed.pop(identity, None)
        if early is not None:
            self._compare_passed(early, message, source)
            return
        for distance in range(1, LOOK_AHEAD):
            item = self._look(distance)
            if item is None:
                break
            if item.identity == identity:
                for _ in range(distance):
                    self.pass_over()
                self._take()
                self._compare(item, message, source)
                return
        if self._is_out_of_reach():
            self._findings.out_of_reach[self.topic] += 1
            return
        self._missing[identity] = message, source
        if len(self._missing) > _WAITING_MAX:
            oldest = next(iter(self._missing))
            self._tell_missing(self._missing[oldest][0], oldest, self._missing.pop(oldest)[1])

    def _is_out_of_reach(self) -> bool:
        """Whether an output that is not there may have been deleted, or may lie behind what cannot be read."""
        is_deleted = "first" in self._limits and not self._confirmed
        return is_deleted or ("last" in self._limits and self._look(0) is None)

    def _compare_passed(self, item: Identified, message: Any, source: str) -> None:
        """Of an output that was found before it was expected."""
        self._tell("out_of_order", item, "it comes before outputs that follow from earlier inputs", message, source)

    def _compare(self, item: Identified, message: Any, source: str) -> None:
        self._confirmed.append(item.identity)
        faults = self._shape.faults(message, item.record)
        if faults:
            self._tell("altered", item, "; ".join(faults), message, source)
        else:
            self._findings.confirm(self.topic, item.type)

    # --- Telling ---

    def _tell(
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

    def _tell_unexpected(self, item: Identified) -> None:
        self._tell("unexpected", item, "nothing in the inputs leads to it")

    def _tell_missing(self, message: Any, identity: Identity, source: str) -> None:
        expected = shown(self._shape.encode(message))
        self._findings.add(
            Difference(
                "missing",
                self.topic,
                self._partition,
                None,
                f"the output {'/'.join(map(str, identity))} is not there",
                expected=expected,
                source=source,
            )
        )

    def _tell_unreadable(self, record: Record, error: ValueError) -> None:
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
