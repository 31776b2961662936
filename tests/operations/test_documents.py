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
#: What the first column of its tables has, up to where they turn from messages to reasons of dead letters.
MESSAGES = [
    message
    for cell in re.findall(r"^\| (`[^|]+) \|", RUNBOOK.split("## It runs")[0], re.MULTILINE)
    for message in re.findall(r"`([^`]+)`", cell)
]


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


def test_every_section_that_a_message_names_is_in_the_runbook() -> None:
    sections = re.findall(r"docs/runbook\.md, '([^']+)'", said_by_the_program())

    assert sections
    assert [section for section in sections if f"\n## {section}\n" not in RUNBOOK] == []


#: Programs that run until they are stopped; what others refuse is answered to who has just asked.
LONG_RUNNING = ("bootstrap.py", "engine", "host", "kafka", "notify", "readside", "telemetry/serving.py", "web")
ENDS = ("ClusterError", "ConfigurationError", "Failure", "InstanceTaken", "PartitionRefused")


def test_every_message_that_a_program_ends_or_a_partition_fails_with_is_in_the_runbook() -> None:
    """What is only handed on, such as a message in a message, is written elsewhere."""
    roots = [ROOT / "src" / "botmeter" / name for name in LONG_RUNNING]
    files = [file for root in roots for file in ([root] if root.is_file() else root.rglob("*.py"))]
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))]
    raised = [node for node in nodes if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ENDS]
    texts = ["".join(literals(call.args[0])) for call in raised if call.args]

    assert len(texts) > 30
    assert [text for text in texts if text.strip("; :()") and not any(message in text for message in MESSAGES)] == []


def literals(node: ast.AST) -> list[str]:
    """The text in it, in the order of the source."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    return [text for part in ast.iter_child_nodes(node) for text in literals(part)]


@pytest.mark.parametrize("page", [GUARANTEES, RUNBOOK], ids=["guarantees", "runbook"])
def test_every_command_that_is_named_is_there(page: str) -> None:
    assert set(re.findall(r"botmeter (?=[a-z])([a-z-]+)\b(?= |`|$)", "\n".join(code_in(page)))) <= set(COMMANDS)


def code_in(page: str) -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    return [*blocks, *re.findall(r"`([^`\n]+)`", page)]


def test_the_runbook_speaks_of_every_reason_of_a_dead_letter() -> None:
    assert [reason for reason in ADVICE if f"`{reason}`" not in RUNBOOK] == []
