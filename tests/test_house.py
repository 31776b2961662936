"""The house rules that no tool checks by itself."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from packaging.requirements import Requirement

from botmeter.engine import restore, transaction
from botmeter.settings.page import rows

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "botmeter"
MODULES = sorted([*PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py")])
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
DEPLOYED = sorted((ROOT / "deploy").iterdir())

MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
#: More is a database or an archive that came along by mistake.
FILE_BYTES_MAX = 1_000_000
#: Names that tell nothing about what is inside.
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "manager", "managers", "common", "base", "misc"}
#: All that a pure decision needs (J2); clocks, randomness, files and sockets are not among it.
DOMAIN_IMPORTS = {
    "__future__", "botmeter.domain", "calendar", "collections", "dataclasses", "datetime", "enum", "functools",
    "hashlib", "itertools", "typing", "zoneinfo",
}  # fmt: skip
CLOCKS = {"now", "utcnow", "today"}
#: Directories of one machine, and hosts of package registries.
FOREIGN = re.compile(
    r"(?<![\w.$}])/(?:work|tmp|root)/|pypi\.org|pythonhosted\.org|repo1?\.maven|maven\.org|npmjs\.(?:org|com)|"
    r"crates\.io|(?:deb|security)\.debian\.org|proxy\.golang"
)


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(text_of(path)))


def imports(path: Path) -> Iterator[str]:
    """What a module imports, dotted."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def calls(path: Path) -> Iterator[tuple[str, int]]:
    """The last name of each function that a module calls, and the line."""
    for node in nodes(path):
        if isinstance(node, ast.Call):
            called = node.func
            yield called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", ""), node.lineno


def blind_waits(path: Path) -> Iterator[int]:
    """The lines that sleep for a fixed time and ask nothing after it."""
    loops = [node for node in nodes(path) if isinstance(node, ast.While)]
    asking = {line for loop in loops for line in range(loop.lineno, (loop.end_lineno or 0) + 1)}
    random = {line for name, line in calls(path) if name == "uniform"}
    yield from (line for name, line in calls(path) if name == "sleep" and line not in asking | random)


def files() -> Iterator[Path]:
    """Every file that belongs to the project; of the hidden directories only .ci does."""
    made = {"botmeter-data", "build", "dist", "mutants"}
    tops = [path for path in ROOT.iterdir() if not path.name.startswith(".") or path.name in {".ci", ".gitignore"}]
    for top in (path for path in tops if path.name not in made):
        for path in [top, *top.rglob("*")] if top.is_dir() else [top]:
            if path.is_file() and "__pycache__" not in path.parts:
                yield path


def pyproject() -> dict[str, Any]:
    return tomllib.loads(text_of(ROOT / "pyproject.toml"))


def test_modules_are_short() -> None:
    lengths = {shown(path): len(text_of(path).splitlines()) for path in MODULES}

    assert {path: lines for path, lines in lengths.items() if lines > MODULE_LINES_MAX} == {}


def test_functions_are_short() -> None:
    lengths = {
        f"{shown(path)}: {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in MODULES
        for node in nodes(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }

    assert {name: lines for name, lines in lengths.items() if lines > FUNCTION_LINES_MAX} == {}


def test_modules_say_by_their_names_what_is_inside() -> None:
    names = {shown(path): {path.stem, path.parent.name} for path in MODULES}

    assert [path for path, words in names.items() if words & EMPTY_NAMES] == []


def test_nothing_is_mocked() -> None:
    assert [shown(path) for path in MODULES if any("mock" in name for name in imports(path))] == []


def test_no_test_waits_for_time_to_pass() -> None:
    """But in a `while`, between two questions to something that cannot tell by itself, or to a random moment."""
    tests = [path for path in MODULES if ROOT / "tests" in path.parents]

    assert [f"{shown(path)}:{line}" for path in tests for line in blind_waits(path)] == []


def test_the_domain_imports_nothing_that_could_make_it_impure() -> None:
    foreign = {
        f"{shown(path)}: {name}"
        for path in (PACKAGE / "domain").glob("*.py")
        for name in imports(path)
        if not DOMAIN_IMPORTS & {name, name.split(".")[0], ".".join(name.split(".")[:2])}
    }
    clocks = {
        f"{shown(path)}:{line}"
        for path in (PACKAGE / "domain").glob("*.py")
        for name, line in calls(path)
        if name in CLOCKS
    }

    assert (foreign, clocks) == (set(), set())


def test_the_engine_reads_no_clock_but_the_one_it_is_given() -> None:
    clocks = {"time", "datetime"}

    assert [shown(path) for path in (PACKAGE / "engine").glob("*.py") if clocks & set(imports(path))] == []


def test_imports_point_one_way() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)

    assert done.returncode == 0, done.stdout


def test_no_file_speaks_of_one_machine_or_of_a_registry() -> None:
    found = [
        f"{shown(path)}:{number}: {line.strip()[:120]}"
        for path in files()
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1)
        if FOREIGN.search(line)
    ]

    assert found == []


def test_nothing_large_is_kept() -> None:
    assert [shown(path) for path in files() if path.stat().st_size > FILE_BYTES_MAX] == []


def test_the_changelog_has_an_entry_for_this_version() -> None:
    version = re.escape(pyproject()["project"]["version"])

    assert re.search(rf"^## {version} \(\d{{4}}-\d\d-\d\d\)$", text_of(ROOT / "CHANGELOG.md"), re.MULTILINE)


def test_the_architecture_names_every_room() -> None:
    page = text_of(ROOT / "docs" / "architecture.md").split("## The packages")[1]
    rooms = [path for path in PACKAGE.iterdir() if path.name[0] not in "_." and path.name != "py.typed"]

    assert set(re.findall(r"`(\w+/|\w+\.py)`", page)) == {f"{p.name}/" if p.is_dir() else p.name for p in rooms}


def test_every_rule_that_is_cited_is_written_down() -> None:
    written = set(re.findall(r"^- \*\*([SATCJ]\d+)\*\*", text_of(ROOT / "docs" / "rules.md"), re.MULTILINE))
    cited = {rule for path in MODULES for rule in re.findall(r"\b[SATCJ]\d{1,2}\b", text_of(path))}

    assert cited - written == set()
    assert written - cited == set()


@pytest.mark.parametrize("protocol", [transaction, restore])
def test_the_architecture_numbers_the_steps_as_the_code_does(protocol: ModuleType) -> None:
    steps = re.findall(r"^\d\. .+$", protocol.__doc__ or "", re.MULTILINE)

    assert steps
    assert "\n".join(steps) in text_of(ROOT / "docs" / "architecture.md")


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#\s]+)", text_of(page))

    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("path", [*PAGES, *DEPLOYED], ids=shown)
def test_only_settings_that_exist_are_written_about(path: Path) -> None:
    of_tests = {f"BOTMETER_TEST_{what}" for what in ("ACCOUNTS", "EXAMPLES", "HISTORIES", "KAFKA", "KILLS", "SEED")}
    known = {variable for variable, _, _ in rows()} | of_tests
    named = set(re.findall(r"\bBOTMETER_(?!KAFKA__)[A-Z_]+\b", text_of(path)))

    assert named - known == set()


@pytest.mark.parametrize(
    ("lock", "groups"),
    [
        ("worker.txt", ["dependencies"]),
        ("services.txt", ["dependencies", "web", "notify", "traces"]),
        ("build.txt", ["build"]),
        ("fuzz.txt", ["fuzz"]),
        ("mutants.txt", ["mutants"]),
        ("dev.txt", ["dependencies", "demo", "web", "notify", "traces", "build", "dev"]),
    ],
)
def test_the_locks_hold_what_is_asked_for(lock: str, groups: list[str]) -> None:
    project = pyproject()
    asked = {
        **project["dependency-groups"],
        **project["project"]["optional-dependencies"],
        "dependencies": project["project"]["dependencies"],
    }
    locked = dict(re.findall(r"^([\w.-]+)==(\S+)", text_of(ROOT / "requirements" / lock), re.MULTILINE))
    named = [Requirement(line) for group in groups for line in asked[group] if isinstance(line, str)]
    wanted = [each for each in named if each.name != project["project"]["name"]]  # an extra may include others

    assert wanted
    assert [each.name for each in wanted if each.name not in locked] == []
    assert [str(each) for each in wanted if not each.specifier.contains(locked[each.name])] == []
