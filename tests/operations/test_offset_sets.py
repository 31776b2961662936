"""Sets of offsets as texts."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botmeter.kafka.exactly_once import NOTE_BYTES_MAX
from botmeter.operations.offset_sets import offsets_in, runs_of, text_of

OFFSETS = st.sets(st.integers(0, 2**40) | st.integers(0, 60))


@given(OFFSETS)
def test_a_text_gives_its_offsets_back(offsets: set[int]) -> None:
    assert offsets_in(text_of(offsets)) == offsets


@given(OFFSETS)
def test_runs_are_the_offsets_that_follow_each_other(offsets: set[int]) -> None:
    runs = list(runs_of(offsets))

    assert {first + place for first, length in runs for place in range(length)} == offsets
    assert all(first + length < following for (first, length), (following, _) in pairwise(runs))


def test_a_million_letters_in_a_row_and_a_thousand_gaps_fit_a_note() -> None:
    offsets = set(range(5_000_000, 6_000_000)) - set(range(5_000_000, 6_000_000, 1_000))

    assert len(text_of(offsets)) < NOTE_BYTES_MAX


@pytest.mark.parametrize("text", ["x", "not one of ours"])
def test_a_text_that_is_no_set_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a set of offsets"):
        offsets_in(text)
