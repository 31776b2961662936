"""Only additions: what others built on the last released schemas goes on working with those of today.

With each release its `schemas/` are copied to `released/<version>/schemas/`.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .compatibility import Direction, Schema, breaks

ROOT = Path(__file__).parents[2]
RELEASED = Path(__file__).with_name("released")
INPUTS = {"interactions", "commands"}

#: What breaks on purpose, by file and place, with the reason and what spares those who are not ready for it.
ACCEPTED = {
    ("alerts/sessions_exhausted.json", "$.contacts[]"): "a contact is an object once somebody set it as one",
    ("alerts/threshold_reached.json", "$.contacts[]"): "the same",
    ("journal/account_opened.json", "$.contacts[]"): "the same",
    ("journal/contacts_set.json", "$.contacts[]"): "the same",
}


def last_release() -> Path:
    return max(RELEASED.iterdir(), key=lambda path: [int(number) for number in path.name.split(".")]) / "schemas"


def files(root: Path) -> dict[str, Schema]:
    return {
        path.relative_to(root).as_posix(): json.loads(path.read_text("utf-8")) for path in sorted(root.glob("*/*.json"))
    }


def direction_of(name: str) -> Direction:
    return "read" if name.split("/", maxsplit=1)[0] in INPUTS else "written"


OLD, NEW = files(last_release()), files(ROOT / "schemas")


def test_no_message_was_removed() -> None:
    assert len(OLD) == 41
    assert set(OLD) - set(NEW) == set()


@pytest.mark.parametrize("name", OLD)
def test_only_additions_since_the_last_release(name: str) -> None:
    found = breaks(OLD[name], NEW[name], direction_of(name))

    assert [line for line in found if (name, line.split(":")[0]) not in ACCEPTED] == []


def test_every_accepted_break_is_one() -> None:
    for name, place in ACCEPTED:
        found = breaks(OLD[name], NEW[name], direction_of(name))

        assert place in {line.split(":")[0] for line in found}


# --- That it would be noticed ----------------------------------------------------------------------------------------

Change = Callable[[Schema], Any]


def remove(name: str) -> Change:
    def change(schema: Schema) -> None:
        del schema["properties"][name]
        schema["required"] = [other for other in schema["required"] if other != name]

    return change


def let_be_missing(name: str) -> Change:
    return lambda schema: schema["required"].remove(name)


def require(name: str) -> Change:
    return lambda schema: schema["required"].append(name)


def add(name: str, described: Schema, *, required: bool = False) -> Change:
    def change(schema: Schema) -> None:
        schema["properties"][name] = described
        schema["required"] += [name] * required

    return change


def replace(name: str, **changed: Any) -> Change:
    return lambda schema: schema["properties"][name].update(changed)


def nullable(name: str) -> Change:
    def change(schema: Schema) -> None:
        schema["properties"][name] = {"anyOf": [schema["properties"][name], {"type": "null"}]}

    return change


def more_values(name: str) -> Change:
    return lambda schema: schema["properties"][name]["enum"].append("another")


def fewer_values(name: str) -> Change:
    return lambda schema: schema["properties"][name]["enum"].pop()


def without(name: str, limit: str) -> Change:
    return lambda schema: schema["properties"][name].pop(limit)


def in_charge(change: Change) -> Change:
    return lambda schema: change(schema["$defs"]["Charge"])


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        ("alerts/threshold_reached.json", remove("percent"), "$.percent: was removed"),
        ("alerts/threshold_reached.json", replace("used", type="string"), "$.used: its type changed"),
        ("alerts/threshold_reached.json", replace("used", type="number"), "$.used: its type changed"),
        ("alerts/threshold_reached.json", nullable("used"), "$.used: its type changed"),
        ("alerts/threshold_reached.json", let_be_missing("used"), "$.used: may be missing now"),
        ("alerts/threshold_reached.json", replace("percent", maximum=200), "$.percent: maximum changed"),
        ("alerts/threshold_reached.json", more_values("pool"), "$.pool: ['another'] beside"),
        ("alerts/threshold_reached.json", replace("type", const="reached"), "$.type: ['reached'] beside"),
        ("alerts/threshold_reached.json", without("at", "pattern"), "$.at: pattern changed"),
        ("balances/balance.json", replace("used_percent", type="string"), "$.used_percent: its type changed"),
        ("journal/packs_purchased.json", in_charge(remove("currency")), "$.charge.currency: was removed"),
        ("interactions/interaction.json", remove("bot_id"), "$.bot_id: was removed"),
        ("interactions/interaction.json", require("bot_id"), "$.bot_id: is required now"),
        ("interactions/interaction.json", add("mood", {"type": "string"}, required=True), "$.mood: is required now"),
        ("interactions/interaction.json", fewer_values("actor"), "$.actor: ['system'] beside"),
        ("interactions/interaction.json", replace("event_id", maxLength=10), "$.event_id: maxLength changed"),
        ("interactions/interaction.json", replace("preview", type="string"), "$.preview: its type changed"),
        ("commands/set_thresholds.json", replace("percents", maxItems=5), "$.percents: maxItems changed"),
        ("commands/set_thresholds.json", replace("percents", items={"type": "string"}), "$.percents[]: its type"),
    ],
)  # fmt: skip
def test_what_breaks_is_noticed(name: str, change: Change, told: str) -> None:
    new = copy.deepcopy(OLD[name])
    change(new)

    found = breaks(OLD[name], new, direction_of(name))

    assert len(found) == 1
    assert found[0].startswith(told)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("alerts/threshold_reached.json", add("mood", {"type": "string"})),
        ("alerts/threshold_reached.json", add("mood", {"type": "string"}, required=True)),
        ("alerts/threshold_reached.json", replace("used", minimum=1)),
        ("alerts/threshold_reached.json", fewer_values("pool")),
        ("balances/balance.json", replace("used_percent", type="integer")),
        ("command-results/rejected.json", more_values("reason")),
        ("interactions/interaction.json", add("mood", {"type": "string"})),
        ("interactions/interaction.json", more_values("actor")),
        ("interactions/interaction.json", nullable("preview")),
        ("interactions/interaction.json", let_be_missing("widget")),
        ("interactions/interaction.json", replace("event_id", maxLength=1000)),
        ("interactions/interaction.json", without("event_id", "pattern")),
    ],
)
def test_what_adds_passes(name: str, change: Change) -> None:
    new = copy.deepcopy(OLD[name])
    change(new)

    assert breaks(OLD[name], new, direction_of(name)) == []
