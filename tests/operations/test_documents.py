"""What docs/guarantees.md and docs/runbook.md name is there: tests, messages, commands."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from botmeter.cli import COMMANDS
from botmeter.operations.dead_letters import ADVICE

ROOT = Path(__file__).parents[2]
GUARANTEES = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
MESSAGES = re.findall(r"^\| `([^`]+)` \|", RUNBOOK.split("## It runs")[0], re.MULTILINE)


def said_by_the_program() -> str:
    """All text in the source, as the program writes it but for what is filled in."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "src").rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    return "\n".join(node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(tests/[^`]+)`", GUARANTEES))))
def test_every_test_that_is_promised_is_there(name: str) -> None:
    file, _, test = name.partition("::")

    assert (ROOT / file).exists()
    assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8") or not test


def test_the_24_promises_are_all_spoken_of() -> None:
    assert re.findall(r"^\| (\d+) \|", GUARANTEES, re.MULTILINE) == [str(number) for number in range(1, 25)]


def test_every_message_of_the_runbook_is_one_that_the_program_writes() -> None:
    text = said_by_the_program()

    assert len(MESSAGES) > 8
    assert [message for message in MESSAGES if message not in text] == []


@pytest.mark.parametrize("page", [GUARANTEES, RUNBOOK], ids=["guarantees", "runbook"])
def test_every_command_that_is_named_is_there(page: str) -> None:
    assert set(re.findall(r"botmeter (?=[a-z])([a-z-]+)\b(?= |`|$)", "\n".join(code_in(page)))) <= set(COMMANDS)


def code_in(page: str) -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    return [*blocks, *re.findall(r"`([^`\n]+)`", page)]


def test_the_runbook_speaks_of_every_reason_of_a_dead_letter() -> None:
    assert [reason for reason in ADVICE if f"`{reason}`" not in RUNBOOK] == []
