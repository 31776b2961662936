"""Whoever sums up the charges of a journal comes to what was bought: each stands in one event (`A3`, `A5`, `A6`)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import given

from botmeter.contracts.instants import rfc3339
from botmeter.domain.prices import Rules
from botmeter.replay.tape import Tape, TapeRecord
from metering.partition_inputs import PARTITIONS, TOPICS, Item, rules
from metering.test_split import inputs

#: The events that sell something.
SALES = {"packs_purchased", "cycle_started"}


def line(item: Item) -> bytes:
    """A line of a tape."""
    if not isinstance(item, TapeRecord):
        return json.dumps({"tick": rfc3339(item)}).encode()
    key, value = item.key(), item.value()
    fields = {
        "topic": item.topic(),
        "key": None if key is None else key.decode(),
        "timestamp": rfc3339(item.timestamp()[1]),
        "value": None if value is None else value.decode("utf-8", "surrogateescape"),
    }
    return json.dumps(fields).encode()


def amounts(node: Any, name: str) -> Iterator[int]:
    """What stands under a name, however deep."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == name and value is not None:
                yield value["amount_minor"]
            else:
                yield from amounts(value, name)


@given(inputs, rules)
def test_a_charge_stands_in_exactly_one_event(items: list[Item], rules_: Rules) -> None:
    outputs = list(Tape(TOPICS, rules_, PARTITIONS).run(map(line, items)))
    journal = [json.loads(output.value or b"") for output in outputs if output.topic == TOPICS.journal.name]
    price = rules_.prices.pack_price_minor

    bought = sum(event["packs"] for event in journal if event["type"] in SALES) * price
    assert sum(amount for event in journal for amount in amounts(event, "charge")) == bought
    for event in journal:
        assert ("charge" in event) == (event["type"] in SALES)
        assert ("charged" in event) == (event["type"] == "command_handled")
    told = sum(amount for event in journal for amount in amounts(event, "charged"))
    assert told == sum(
        event["charge"]["amount_minor"]
        for event in journal
        if event["type"] == "packs_purchased" and event["trigger"] == "command"
    )
