"""`botmeter account`: every command and question, on a real broker with a real worker."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from botmeter import cli
from botmeter.client import Client, Connection, interaction
from worker.cluster import Cluster

PATIENCE_S = 90

Run = Callable[..., Result]


@pytest.fixture
def cluster(bootstrap_servers: str, topic_prefix: str, tmp_path: Path) -> Iterator[Cluster]:
    """Topics of this test alone, and a worker."""
    made = Cluster(bootstrap_servers, topic_prefix, tmp_path)
    made.worker()
    yield made
    made.close()


@pytest.fixture
def run(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Calls `botmeter account` against this test's cluster."""
    for name, value in cluster.environment().items():
        monkeypatch.setenv(name, value)

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(cli.program, ["account", *arguments])

    return call


def chat(cluster: Cluster, sessions: int, account_id: str = "acme") -> None:
    """So many end-users say something."""
    with Client(Connection(cluster.bootstrap_servers, cluster.topics)) as client:
        for number in range(sessions):
            chatting = interaction(
                account_id,
                end_user_id=f"u-{number}",
                conversation_id=f"c-{number}",
                bot_id="b-1",
                event_id=f"e-{number}",
            )
            client.publish(chatting)
    cluster.await_all_taken()


@pytest.mark.kafka
def test_the_life_of_an_account_without_json(run: Run, cluster: Cluster) -> None:
    opened = run("open", "acme", "--plan", "growth", "--time-zone", "America/New_York", "--contact", "a@acme.example")
    chat(cluster, 11)
    exhausted = run("show", "acme")
    bought = run("buy", "acme", "2", "--yes", "--command-id", "order-17")
    again = run("buy", "acme", "2", "--yes", "--command-id", "order-17")
    credited = run("credit", "acme", "5", "--reason", "outage")
    reduced = run("reduce", "acme", "1")
    refused = run("reduce", "acme", "2")
    recharge = run("recharge", "acme", "--below", "5", "--packs", "1", "--yes")
    shown = run("show", "acme")
    statement = run("statement", "acme")

    assert opened.stdout == "done, acme is at version 3: 0 of 10 sessions used\n"
    assert "exhausted: new chats go to the agents" in exhausted.stdout
    assert "10 of 10 used, 0 left (complimentary)" in exhausted.stdout
    assert bought.stdout.endswith("0 of 40 sessions used\n")
    assert again.stdout == bought.stdout
    assert credited.stdout.endswith("0 of 45 sessions used\n")
    assert reduced.exit_code == 0
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr.startswith("refused (reduces_below_zero): ")
    assert recharge.exit_code == 0
    assert "active: the bot answers" in shown.stdout
    assert "2 now, 1 from the next cycle on (100.00 USD)" in shown.stdout
    assert "1 pack when fewer than 5 sessions remain" in shown.stdout
    assert re.search(
        r"complimentary +\+10\nbought +\+40\ncredited +\+5\nsessions started +-10\nleft now +45", statement.stdout
    )
    assert re.search(r"bought +2 packs +200\.00 USD\ntotal +200\.00 USD\n1 chat went to the agents\.", statement.stdout)
    assert re.search(r"^digest [0-9a-f]{64}$", statement.stdout, re.MULTILINE)


@pytest.mark.kafka
def test_every_other_command_is_carried_out(run: Run) -> None:
    assert run("open", "acme", "--plan", "growth").exit_code == 0
    assert run("buy", "acme", "3", "--yes").exit_code == 0
    assert run("reduce", "acme", "1").exit_code == 0
    for arguments in (
        ["cancel-reduction", "acme"],
        ["thresholds", "acme", "50", "95"],
        ["contacts", "acme", "billing@acme.example"],
        ["billing-cycle", "acme", "annual"],
        ["plan", "acme", "pro"],
        ["recharge", "acme", "--off"],
    ):
        done = run(*arguments)
        assert done.exit_code == 0, (arguments, done.output)
    state = json.loads(run("show", "acme", "--json").stdout)
    closed = run("close", "acme", "--yes", "--json")

    assert (state["plan"], state["packs_next_cycle"], state["next_billing_cycle"]) == ("pro", 3, "annual")
    assert (state["thresholds"], state["contacts"], state["auto_recharge"]) == (
        [50, 95],
        ["billing@acme.example"],
        None,
    )
    assert json.loads(closed.stdout)["type"] == "accepted"
    assert json.loads(run("list", "--json").stdout)["status"] == "closed"


@pytest.mark.kafka
def test_accounts_are_listed_by_the_risk_of_running_out(run: Run, cluster: Cluster) -> None:
    for account_id in ("quiet", "acme", "nothing"):
        run("open", account_id, "--plan", "free" if account_id == "nothing" else "growth")
    chat(cluster, 10)
    listed = run("list")
    exhausted = run("list", "--status", "exhausted", "--sort", "name")

    assert [line.split()[0] for line in listed.stdout.splitlines()] == ["account", "acme", "nothing", "quiet"]
    assert [line.split()[:3] for line in exhausted.stdout.splitlines()[1:]] == [
        ["acme", "exhausted", "growth"],
        ["nothing", "exhausted", "free"],
    ]


@pytest.mark.kafka
def test_a_charge_and_a_handoff_are_explained(run: Run, cluster: Cluster) -> None:
    run("open", "acme", "--plan", "growth")
    chat(cluster, 11)
    charged = run("explain", "acme", "--end-user", "u-9")
    handed_off = run("explain", "acme", "--conversation", "c-10")
    of_event = [json.loads(line) for line in run("explain", "acme", "--event", "e-3", "--json").stdout.splitlines()]
    unknown = run("explain", "acme", "--session", "nope")

    assert "9 of 10 used before, 10 of 10 used after" in charged.stdout
    assert "the first of this end-user" in charged.stdout
    assert f"{cluster.topics.interactions.name}/" in charged.stdout
    assert "led to       exhaustion" in charged.stdout
    assert "the chat went to the agents" in handed_off.stdout
    assert [(one["event"]["type"], one["before"]["used"], one["after"]["used"]) for one in of_event] == [
        ("session_started", 3, 4)
    ]
    assert (unknown.exit_code, unknown.stdout) == (1, "")


@pytest.mark.kafka
def test_spending_without_a_terminal_takes_a_yes_and_says_what_it_would_do(run: Run) -> None:
    run("open", "acme", "--plan", "growth")
    asked = run("buy", "acme", "2")

    assert asked.exit_code == 2
    assert "10 complimentary sessions left will be forfeited." in asked.stderr
    assert "2 packs (40 sessions) for 200.00 USD, now: 0 of 40 sessions used." in asked.stderr
    assert "say --yes" in asked.stderr
    assert json.loads(run("show", "acme", "--json").stdout)["packs"] == 0


@pytest.mark.kafka
@pytest.mark.parametrize(("answer", "packs"), [(b"y\n", 1), (b"n\n", 0)])
def test_at_a_terminal_a_person_is_asked(run: Run, answer: bytes, packs: int) -> None:
    run("open", "acme", "--plan", "growth")
    person, terminal = pty.openpty()
    os.write(person, answer)
    program = [sys.executable, "-c", "import botmeter.cli; botmeter.cli.main()", "account", "buy", "acme", "1"]
    done = subprocess.run(
        program, stdin=terminal, capture_output=True, text=True, timeout=PATIENCE_S, check=False, env=os.environ
    )
    os.close(person)
    os.close(terminal)

    assert done.returncode == (0 if packs else 130)
    assert "Do it? [y/N]" in done.stderr
    assert json.loads(run("show", "acme", "--json").stdout)["packs"] == packs


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["buy", "acme", "0", "--yes"], "packs: Input should be greater than or equal to 1"),
        (["open", "acme", "--plan", "growth", "--time-zone", "Mars"], "time_zone: Input should be an IANA time zone"),
        (["thresholds", "acme"], "say either percentages"),
        (["thresholds", "acme", "100"], "Input should be less than or equal to 99"),
        (["recharge", "acme"], "say either --packs"),
        (["contacts", "acme"], "say either addresses or --none"),
        (["explain", "acme"], "say which"),
    ],
)
def test_what_makes_no_sense_is_wrong_usage_without_asking_a_broker(arguments: list[str], line: str) -> None:
    done = CliRunner().invoke(cli.program, ["account", *arguments])

    assert done.exit_code == 2
    assert line in done.stderr


@pytest.mark.kafka
def test_an_account_that_is_not_there_is_said_to_be_so(run: Run) -> None:
    for question in ("show", "statement"):
        done = run(question, "nobody")
        assert (done.exit_code, done.stderr) == (1, "Error: there is no account nobody\n")


@pytest.mark.kafka
def test_a_standing_comes_from_the_snapshot_and_what_the_journal_adds(run: Run, cluster: Cluster) -> None:
    run("open", "acme", "--plan", "growth")
    cluster.await_true(
        lambda: any(cluster.read(cluster.topics.snapshots).values()), [], PATIENCE_S, "no snapshot was taken"
    )
    chat(cluster, 3)

    assert "3 of 10 used, 7 left" in run("show", "acme").stdout


@pytest.mark.kafka
def test_a_tape_of_an_account_reproduces_what_was_decided(run: Run, cluster: Cluster, tmp_path: Path) -> None:
    run("open", "acme", "--plan", "growth", "--contact", "ann@acme.example")
    chat(cluster, 11)
    run("buy", "acme", "1", "--yes")
    run("reduce", "acme", "2")
    program = CliRunner()
    plain = program.invoke(cli.program, ["replay", "--from-cluster", "acme"])
    hidden = program.invoke(cli.program, ["replay", "--from-cluster", "acme", "--pseudonymous"])
    (tmp_path / "acme.ndjson").write_text(plain.stdout)
    replayed = program.invoke(cli.program, ["replay", str(tmp_path / "acme.ndjson"), "--only", "handoffs"])
    written = cluster.read(cluster.topics.handoffs).values()
    handoffs = [json.loads(record.value() or b"") for records in written for record in records]

    assert (plain.exit_code, hidden.exit_code) == (0, 0), plain.stderr + hidden.stderr
    assert "15 lines, 0 of them rebuilt" in plain.stderr
    assert list(json.loads(plain.stdout.splitlines()[0])) == ["rules"]
    assert "it leads to the same" in hidden.stderr
    assert [json.loads(line)["value"] for line in replayed.stdout.splitlines()] == handoffs
    assert "ann@acme.example" not in hidden.stdout
    assert '"c-10"' not in hidden.stdout
