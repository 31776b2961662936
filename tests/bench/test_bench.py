"""The bench works: every measurement comes to figures, which come into the page. No time is asserted."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botmeter.contracts.decoding import decode_interaction

from . import plan
from .__main__ import MEASUREMENTS, main
from .machine import ROOT
from .pages import CHART, PAGE, RESULTS, replaced
from .peers.streams_build import NoCompilerError, compiler
from .results import Case, Column, Results, table
from .traffic import ACCOUNTS, Accounts, Mix, interactions

DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def docs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page as a tiny run of everything leaves it."""
    directory = tmp_path_factory.mktemp("docs")
    shutil.copy(DOCS / PAGE, directory)
    main(["--tiny", "--write"], directory)
    return directory


def engines() -> set[str]:
    """Those of a tiny run that can take part here."""
    try:
        compiler()
    except NoCompilerError:
        return {"botmeter"}
    return {"botmeter", "Kafka Streams, tuned"}


@pytest.mark.chaos
@pytest.mark.kafka
@pytest.mark.parametrize("name", ["throughput", "restore", "latency", "windows"])
def test_every_engine_comes_to_figures(docs: Path, name: str) -> None:
    cases = list(Results.read(docs / RESULTS).of(name))

    assert cases
    for case in cases:
        assert engines() <= set(case.rows)
        assert all(figures and all(figures.values()) for figures in case.rows.values())


@pytest.mark.chaos
@pytest.mark.kafka
@pytest.mark.parametrize("name", MEASUREMENTS)
def test_every_figure_comes_into_the_page(docs: Path, name: str) -> None:
    section = (docs / PAGE).read_text("utf-8").partition(f"<!-- bench: {name} -->")[2].partition("<!-- end -->")[0]

    for case in Results.read(docs / RESULTS).of(name):
        assert table(case, MEASUREMENTS[name].columns) in section
        assert case.conditions["revision"] in section


@pytest.mark.chaos
@pytest.mark.kafka
def test_the_chart_shows_every_engine(docs: Path) -> None:
    drawn = ET.fromstring((docs / CHART).read_text("utf-8"))  # noqa: S314 - our own

    assert engines() <= {element.text for element in drawn.iter("{http://www.w3.org/2000/svg}text")}


@given(per_session=st.integers(2, 30), sessions=st.integers(1, 400), partitions=st.integers(1, 3))
def test_half_of_all_records_are_replies_and_every_end_user_opens_a_session(
    per_session: int, sessions: int, partitions: int
) -> None:
    mix = Mix(per_session)
    accounts = Accounts(partitions)
    made = [
        (decode_interaction(value), key, partition)
        for key, value, partition in interactions(mix, sessions * per_session, accounts)
    ]

    assert mix.sessions(len(made)) == sessions
    assert len({hot.end_user_id for hot, _, _ in made if hot.actor == "end_user"}) == sessions
    replies = Counter(hot.actor for hot, _, _ in made)["bot"]
    assert abs(replies - len(made) / 2) <= max(1, ACCOUNTS / 2) if per_session % 2 else replies == len(made) / 2
    assert all(accounts.partitions[accounts.keys.index(key)] == partition for _, key, partition in made)


def test_one_hot_account_has_half_of_all_records() -> None:
    keys = Counter(key for key, _, _ in interactions(Mix(20, hot_share=0.5), 40_000, Accounts(1)))

    assert max(keys.values()) == 20_000


def test_a_row_shows_the_median_and_how_far_the_runs_lie_apart() -> None:
    case = Case("1 in 20", {"botmeter": {"a_second": [1.0, 5000.0, 3.0]}, "other": {}})

    assert table(case, [Column("a_second", "records/s"), Column("nothing", "never measured")]).splitlines() == [
        "| 1 in 20 | records/s |",
        "| --- | ---: |",
        "| botmeter | 3 (1 to 5,000) |",
        "| other | - |",
    ]


def test_a_case_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / RESULTS
    results = Results.read(path)
    results.add("throughput", Case("1 in 5", {"botmeter": {"a_second": [1.0]}}))
    results.add("throughput", Case("1 in 20", {"botmeter": {"a_second": [2.0]}}))
    results.write(path)

    again = Results.read(path)
    again.add("throughput", Case("1 in 5", {"botmeter": {"a_second": [3.0]}}))

    assert [(case.title, case.rows["botmeter"]["a_second"]) for case in again.of("throughput")] == [
        ("1 in 5", [3.0]),
        ("1 in 20", [2.0]),
    ]


def test_only_the_section_that_is_named_is_replaced() -> None:
    page = "a <!-- bench: x -->\nold<!-- end --> b <!-- bench: y -->\nkept<!-- end -->"

    assert replaced(page, "x", "new") == page.replace("old", "new")
    with pytest.raises(ValueError, match="no section z"):
        replaced(page, "z", "new")


def test_what_is_not_there_cannot_be_measured(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        plan.Plan.parsed(["--engines", "botmeter,storm"], ("throughput",))

    assert ended.value.code == 2
    assert "unknown: storm" in capsys.readouterr().err


def test_a_run_that_was_narrowed_leaves_the_page_alone() -> None:
    assert plan.Plan.parsed([], ("throughput",)).writes
    assert not plan.Plan.parsed(["--quick"], ("throughput",)).writes
    assert plan.Plan.parsed(["--quick", "--write"], ("throughput",)).writes
