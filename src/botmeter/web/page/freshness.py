"""The label beside the numbers that says how old they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from botmeter.readside.results import Freshness
from botmeter.web.page.moments import Clock, age

#: Numbers with a larger lag are shown in grey, with their time.
BEHIND_MS: Final = 5_000


@dataclass(frozen=True, slots=True)
class FreshnessLabel:
    """The age of the numbers. `lag` selects the style; `as_of` is UTC ms, None when nothing has been read yet."""

    lag: Literal["level", "behind"]
    words: str
    place: str
    as_of: int | None
    #: A sentence for people while the numbers are behind, else empty.
    warning: str


def freshness_label(freshness: Freshness, clock: Clock) -> FreshnessLabel:
    """Returns `live`, or how old the numbers are."""
    place = f"{freshness.partition}/{freshness.offset:,}"
    if freshness.lag_ms is None:
        return FreshnessLabel("behind", "not read yet", place, None, "The journal is being read for the first time.")
    if freshness.lag_ms <= BEHIND_MS:
        return FreshnessLabel("level", "live", place, clock.now - freshness.lag_ms, "")
    as_of = clock.now - freshness.lag_ms
    warning = (
        f"These numbers are of {clock.since(as_of)}: the page is {age(freshness.lag_ms)} behind the journal. "
        "Nothing is lost, and bots and charges are not affected."
    )
    return FreshnessLabel("behind", f"as of {age(freshness.lag_ms)} ago", place, as_of, warning)
