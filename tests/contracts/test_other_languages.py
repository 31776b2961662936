"""The schemas as others use them: read by AsyncAPI's own parser, made into TypeScript types that a consumer compiles.

Needs node and npm, which need not be there: .ci/run says so where they are missing. The packages are installed once,
as locked in `node/`, below `.node/`.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from botmeter.contracts import schema_export

ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT / "schemas"
SOURCES = Path(__file__).with_name("node")
INSTALLED = ROOT / ".node"
#: Loading the packages takes seconds, installing them a minute and more.
PATIENCE_S = 600

pytestmark = [
    pytest.mark.node,
    pytest.mark.skipif(shutil.which("npm") is None, reason="needs node and npm"),
    pytest.mark.timeout(PATIENCE_S + 60),
]


@pytest.fixture(scope="module")
def node() -> Path:
    """A directory with the sources and the packages they need, with nothing left of earlier runs."""
    lock, installed = SOURCES / "package-lock.json", INSTALLED / "installed-lock.json"
    if not installed.exists() or installed.read_bytes() != lock.read_bytes():
        INSTALLED.mkdir(exist_ok=True)
        for file in (SOURCES / "package.json", lock):
            shutil.copy(file, INSTALLED)
        run(INSTALLED, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
        shutil.copy(lock, installed)
    for made in ("types", "models"):
        shutil.rmtree(INSTALLED / made, ignore_errors=True)
    for source in (*SOURCES.glob("*.mjs"), *SOURCES.glob("*.ts"), SOURCES / "tsconfig.json"):
        shutil.copy(source, INSTALLED)
    return INSTALLED


def run(directory: Path, *command: object) -> str:
    done = subprocess.run(
        [str(part) for part in command], cwd=directory, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("name", [schema_export.ASYNCAPI_FILE, schema_export.ASYNCAPI_BUNDLE_FILE])
def test_asyncapis_own_parser_has_no_complaint(node: Path, name: str) -> None:
    [told] = json.loads(run(node, "node", "parse.mjs", SCHEMAS / name)).values()

    assert told["isRead"]
    # That there is a version after 3.0.0.
    assert {found["code"] for found in told["diagnostics"]} <= {"asyncapi-latest-version"}
    assert told["replies"] == [
        {"operation": "receive_commands", "channel": "command_results", "messages": ["accepted", "rejected"]}
    ]


def test_the_parser_would_complain(node: Path, tmp_path: Path) -> None:
    document: dict[str, Any] = json.loads((SCHEMAS / schema_export.ASYNCAPI_BUNDLE_FILE).read_text("utf-8"))
    document["operations"]["receive_commands"]["reply"]["channel"]["$ref"] = "#/channels/answers"
    (tmp_path / "broken.json").write_text(json.dumps(document))

    [told] = json.loads(run(node, "node", "parse.mjs", tmp_path / "broken.json")).values()

    assert "invalid-ref" in {found["code"] for found in told["diagnostics"]}


def test_types_made_of_the_schemas_and_of_the_document_alone_serve_a_consumer(node: Path) -> None:
    """Both consumers compile strictly; each line in them that must not is marked as such."""
    run(node, "node", "types.mjs", SCHEMAS, "types")
    made = json.loads(run(node, "node", "models.mjs", SCHEMAS / schema_export.ASYNCAPI_BUNDLE_FILE, "models"))

    names = {message.name for channel in schema_export.CHANNELS for message in channel.messages}
    assert names <= set(made)
    assert [name for name in made if "anonymous" in name.lower()] == []
    assert len(list((node / "types").rglob("*.ts"))) == len(names)
    run(node, "node", "node_modules/typescript/bin/tsc", "--project", ".")
