"""A warm store is worth as much as a cold restore: whatever a death left in it, the rest of the journal completes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from botmeter.contracts.encoding import decode_account
from botmeter.domain.account import Account
from botmeter.domain.prices import Rules
from botmeter.domain.sessions import memory_ms
from botmeter.metering.fold import JournalFold
from botmeter.metering.records import Record
from botmeter.metering.state import PartitionState
from botmeter.metering.store import NEVER, StoreMark
from botmeter.metering.windows import ChatKey, PackedStarts, WindowKey, unpack

from .disk import Content


class KeptStore:
    """A store to be read once more."""

    def __init__(self, content: Content) -> None:
        self._content = content

    def mark(self) -> StoreMark | None:
        return self._content.mark

    def accounts(self) -> Iterator[Account]:
        return map(decode_account, self._content.accounts.values())

    def windows(self, keys: Sequence[WindowKey]) -> Sequence[PackedStarts]:
        return [self._content.windows.get(key, 0) for key in keys]

    def chats(self, keys: Sequence[ChatKey]) -> Sequence[int]:
        return [self._content.chats.get(key, NEVER) for key in keys]

    def write(self, _: object) -> None:
        raise AssertionError("it is only read")

    def sweep(self, *_: object) -> int:
        raise AssertionError("it is only read")

    def close(self) -> None:
        """There is nothing to release."""


@dataclass
class States:
    """What decisions rest on: accounts with the commands they remember, and all that is not past use."""

    accounts: Mapping[bytes, Account]
    windows: dict[WindowKey, tuple[int, ...]]
    chats: dict[ChatKey, int]


def require_warm_equals_cold(left: Sequence[Content], journal: Sequence[Record], now_ms: int, rules: Rules) -> None:
    """Of all these stores of one partition; `now_ms`: the highest of the brokers' timestamps in its inputs."""
    cold = _restored(Content(), journal, now_ms, rules)
    for content in left:
        warm = _restored(content, journal, now_ms, rules)
        if warm != cold:
            raise AssertionError(f"a warm store differs from a cold one:\n{warm}\n{cold}")


def _restored(content: Content, journal: Sequence[Record], now_ms: int, rules: Rules) -> States:
    """The store, and the journal from where it stands."""
    state = PartitionState(KeptStore(content), rules, cache_windows=1 << 60)
    begin = 0 if content.mark is None else content.mark.journal_offset
    JournalFold(state, {}, {}).take([record for record in journal if record.offset() >= begin])
    windows, chats = content.windows | state.windows.young, content.chats | state.chats.young
    since = now_ms - memory_ms(rules)
    starts = {
        key: tuple(start for start in unpack(packed) if start > since) for key, packed in windows.items() if packed
    }
    return States(
        state.folded(),
        {key: each for key, each in starts.items() if each},
        {key: at for key, at in chats.items() if at > since},
    )
