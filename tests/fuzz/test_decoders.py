"""Whatever comes from outside, a decoder returns a value or raises what it says, and nothing else."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import Phase, given, settings

from contracts.test_hot_decoder import by_the_contract, by_the_decoder

from .damage import anything, with_each_value_replaced
from .decoders import Decoder, all_decoders

DECODERS: Final = {decoder.name: decoder for decoder in all_decoders()}
#: A case a decoder takes tens of microseconds; `make fuzz` is for more.
EXAMPLES: Final = 60


each_decoder = pytest.mark.parametrize("decoder", DECODERS.values(), ids=DECODERS)


@each_decoder
def test_it_takes_what_it_is_for(decoder: Decoder) -> None:
    assert all(decoder.keeps_its_promise(example) for example in decoder.examples)


@each_decoder
def test_of_anything_else_it_makes_a_value_or_says_what_is_wrong(decoder: Decoder) -> None:
    @given(anything(decoder.examples))
    @settings(max_examples=EXAMPLES, phases=[Phase.generate, Phase.shrink])
    def keeps_its_promise(data: bytes) -> None:
        decoder.keeps_its_promise(data)

    keeps_its_promise()


@each_decoder
def test_no_hostile_value_in_the_place_of_any_other_slips_through(decoder: Decoder) -> None:
    for example in decoder.examples:
        for damaged in with_each_value_replaced(example):
            decoder.keeps_its_promise(damaged)


@given(anything(DECODERS["interactions"].examples))
@settings(max_examples=400)
def test_fast_decoder_and_contract_take_the_same_interactions(data: bytes) -> None:
    assert by_the_contract(data) == by_the_decoder(data)
