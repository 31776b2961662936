"""The 24-hour windows: which interactions open a session, which join one (`S1` to `S8`)."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, Literal

from botmeter.domain.prices import DAY_MS, HOUR_MS, Rules

Widget = Literal["conversations", "self_service"]
Actor = Literal["end_user", "bot", "agent", "system"]

#: Known starts of one window key (account, end-user, live|preview), UTC ms, ascending; any two are 24 h or more apart.
Starts = tuple[int, ...]

#: Brokers' clocks may step back when a partition's leader moves, so starts are kept this much longer than required.
CLOCK_MARGIN_MS: Final = HOUR_MS


@dataclass(frozen=True, slots=True)
class Interaction:
    """One message or click; `occurred_at` is UTC ms. Ids are those of the chat platform."""

    end_user_id: str
    bot_id: str | None
    conversation_id: str
    widget: Widget
    actor: Actor
    preview: bool
    occurred_at: int


def is_metered(actor: Actor, bot_id: str | None) -> bool:
    """Whether such an interaction opens or joins a session (`S3`); all others are ignored."""
    return actor == "end_user" and bot_id is not None


def is_covered(starts: Starts, occurred_at: int) -> bool:
    """Whether some known start lies less than 24 h from `occurred_at`, on either side (`S5`)."""
    for start in starts:  # noqa: SIM110 - runs for every interaction; a generator would double its cost
        if -DAY_MS < occurred_at - start < DAY_MS:
            return True
    return False


def with_start(starts: Starts, started_at: int, at: int, rules: Rules) -> Starts:
    """Returns the starts with one more, without those too old to cover any acceptable interaction after `at`."""
    horizon = at - memory_ms(rules)
    return tuple(sorted({start for start in starts if start > horizon} | {started_at}))


def memory_ms(rules: Rules) -> int:
    """Returns how long a start matters in broker time: the sum of late limit, window and clock margin."""
    return rules.late_limit_ms + DAY_MS + CLOCK_MARGIN_MS


def session_id(account_id: str, end_user_id: str, preview: bool, started_at: int) -> str:  # noqa: FBT001 - part of the key
    """Returns the deterministic id of a session, 32 hex digits (`S8`); lengths keep (`ab`, `c`), (`a`, `bc`) apart."""
    kind = "preview" if preview else "live"
    text = f"{len(account_id)}:{account_id}{len(end_user_id)}:{end_user_id}{kind}{started_at}"
    return blake2b(text.encode(), digest_size=16).hexdigest()
