"""How old the numbers are, told beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from botmeter.readside.results import Freshness
from botmeter.web.page.moments import Clock, age

#: Numbers that lag by more are grey and dated.
BEHIND_MS: Final = 5_000


@dataclass(frozen=True, slots=True)
class Shown:
    """`lag` is what the stylesheet goes by; `as_of` is UTC ms, None when nothing was ever read."""

    lag: Literal["level", "behind"]
    words: str
    place: str
    as_of: int | None
    #: A sentence for people while the numbers are behind, else empty.
    warning: str


def shown(freshness: Freshness, clock: Clock) -> Shown:
    """`live`, or how old and how far behind."""
    place = f"{freshness.partition}/{freshness.offset:,}"
    if freshness.lag_ms is None:
        return Shown("behind", "not read yet", place, None, "The journal is being read for the first time.")
    if freshness.lag_ms <= BEHIND_MS:
        return Shown("level", "live", place, clock.now - freshness.lag_ms, "")
    as_of = clock.now - freshness.lag_ms
    warning = (
        f"These numbers are of {clock.since(as_of)}: the page is {age(freshness.lag_ms)} behind the journal. "
        "Nothing is lost, and bots and charges are not affected."
    )
    return Shown("behind", f"as of {age(freshness.lag_ms)} ago", place, as_of, warning)
