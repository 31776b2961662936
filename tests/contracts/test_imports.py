"""What the engine imports of the contract is light: start-up time is everyone's."""

from __future__ import annotations

import subprocess
import sys

import pytest


def imported_with(module: str) -> set[str]:
    """The modules that a fresh interpreter has after importing this one."""
    code = f"import sys, {module}; print(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.parametrize("module", ["catalogue", "decoding", "encoding", "cloudevents", "topics"])
def test_the_schemas_are_not_loaded_to_run(module: str) -> None:
    imported = imported_with(f"botmeter.contracts.{module}")

    assert not imported & {
        "jsonschema", "botmeter.contracts.schema_export", "botmeter.contracts.journal", "botmeter.contracts.outputs"
    }  # fmt: skip


@pytest.mark.parametrize("module", ["encoding", "cloudevents", "topics"])
def test_only_decoding_needs_the_models(module: str) -> None:
    assert "pydantic" not in imported_with(f"botmeter.contracts.{module}")


def test_the_command_line_does_not_load_the_schemas_before_they_are_asked_for() -> None:
    assert "botmeter.contracts.schema_export" not in imported_with("botmeter.cli.schemas")
