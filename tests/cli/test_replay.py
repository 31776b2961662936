"""`botmeter replay`, as a person at a shell has it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

OPEN = {
    "topic": "billing.commands",
    "key": "acme",
    "timestamp": "2026-11-23T10:00:00.000Z",
    "value": {
        "type": "open_account",
        "command_id": "k-1",
        "account_id": "acme",
        "issued_by": "crm",
        "plan": "growth",
        "billing_cycle": "monthly",
    },
}


def hello(end_user_id: str, at: str, **line: Any) -> dict[str, Any]:
    interaction = {
        "event_id": f"e-{end_user_id}",
        "account_id": "acme",
        "end_user_id": end_user_id,
        "bot_id": "b-1",
        "conversation_id": f"c-{end_user_id}",
        "widget": "conversations",
        "actor": "end_user",
        "occurred_at": at,
    }
    return {"topic": "chat.interactions", "key": "acme", "timestamp": at, "value": interaction, **line}


def replay(tape: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("botmeter")
    return subprocess.run(
        [program, "replay", "-", *arguments], input=tape, capture_output=True, text=True, check=False, timeout=60
    )


def outputs(*lines: dict[str, Any], only: str | None = None) -> list[dict[str, Any]]:
    run = replay("".join(json.dumps(line) + "\n" for line in lines), *(["--only", only] if only else []))
    assert run.stderr == ""
    assert run.returncode == 0
    return [json.loads(line) for line in run.stdout.splitlines()]


def test_each_line_prints_its_journal_then_the_balance_it_left() -> None:
    printed = outputs(OPEN, hello("ann", "2026-11-23T11:00:00.000Z"))

    assert [(line["topic"], line["value"]["type"]) for line in printed] == [
        ("botmeter.journal", "account_opened"),
        ("botmeter.journal", "complimentary_granted"),
        ("botmeter.journal", "command_handled"),
        ("botmeter.command-results", "accepted"),
        ("botmeter.balances", "balance"),
        ("botmeter.journal", "session_started"),
        ("botmeter.balances", "balance"),
    ]
    assert printed[-1]["value"]["used"] == 1


def test_offsets_are_counted_per_topic_and_commands_know_what_came_before() -> None:
    reduce = {**OPEN["value"], "type": "reduce_packs", "command_id": "k-2", "packs": 1}  # type: ignore[dict-item]
    printed = outputs(OPEN, hello("ann", "2026-11-23T11:00:00.000Z"), {**OPEN, "value": reduce}, only="journal")

    assert [line["value"]["cause"]["offset"] for line in printed] == [0, 0, 0, 0, 1]
    assert printed[-1]["value"]["cause"]["before_offset"] == 1


def test_a_tick_rolls_the_cycle_at_its_boundary() -> None:
    printed = outputs(OPEN, {"tick": "2026-12-23T10:00:03.000Z"}, only="botmeter.journal")

    cycle = printed[-1]["value"]
    assert (cycle["type"], cycle["at"]) == ("cycle_started", "2026-12-23T10:00:00.000Z")
    assert cycle["cause"] == {"timer": "cycle", "before_offset": 0}


def test_a_string_value_stands_for_raw_bytes_also_for_those_that_are_no_text() -> None:
    at = "2026-11-23T11:00:00.000Z"
    printed = outputs(
        hello("ann", at, value="\udcff{"), hello("ann", at, value="not json"), hello("ann", at, value=None)
    )

    assert [line["headers"]["botmeter_reason"] for line in printed] == ["malformed"] * 3
    assert [line["value"] for line in printed] == ["\udcff{", "not json", None]


def test_a_partition_that_a_line_names_has_to_be_the_key_s_own() -> None:
    at = "2026-11-23T11:00:00.000Z"
    reasons = [
        line["headers"]["botmeter_reason"]
        for partition in range(12)
        for line in outputs(hello("ann", at, partition=partition), only="dead-letters")
    ]

    assert sorted(reasons) == ["unknown_account"] + ["wrong_partition"] * 11


#: Of the key `beta` among twelve partitions, and another.
HOME, ELSEWHERE = 8, 3


def of_beta(line: dict[str, Any], **named: int) -> dict[str, Any]:
    return {**line, "key": "beta", "value": {**line["value"], "account_id": "beta"}, **named}


@pytest.mark.parametrize(
    ("opened", "said", "then"),
    [
        ({}, {"partition": HOME}, "session_started"),
        ({"partition": HOME}, {}, "session_started"),
        ({}, {"partition": ELSEWHERE}, "wrong_partition"),
        ({"partition": ELSEWHERE}, {}, "unknown_account"),
    ],
)
def test_an_account_has_one_place_whichever_of_its_lines_name_the_partition(
    opened: dict[str, int], said: dict[str, int], then: str
) -> None:
    printed = outputs(of_beta(OPEN, **opened), of_beta(hello("ann", "2026-11-23T11:00:00.000Z"), **said))

    found = [line["headers"].get("botmeter_reason") or line["value"]["type"] for line in printed]
    assert then in found[-2:]


def test_j4_a_record_on_a_wrong_partition_counts_among_those_taken_before() -> None:
    stray = hello("ann", "2026-11-23T11:00:00.000Z", partition=HOME)
    printed = outputs(stray, of_beta(OPEN, partition=HOME), only="journal")

    assert printed[0]["value"]["cause"]["before_offset"] == 1


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "line 1 of the tape cannot be read"),
        ('{"topic": "elsewhere"}', "line 1 of the tape: topic is 'elsewhere'"),
        ('{"topic": "chat.interactions"}', "line 1 of the tape has no timestamp"),
        ('{"tick": "yesterday"}', "line 1 of the tape cannot be read"),
    ],
)
def test_a_line_that_is_no_record_is_named_and_ends_with_exit_code_2(line: str, complaint: str) -> None:
    run = replay(line + "\n")

    assert run.returncode == 2
    assert run.stderr.startswith(f"botmeter: {complaint}")
    assert run.stderr.count("\n") == 1
