"""The program as a shell sees it: what it prints, what it imports, what it exits with."""

from __future__ import annotations

import importlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from botmeter.cli import COMMANDS

#: A command that does what the test asks of it, to see what becomes of it.
PROBE = """
import sys, time, zoneinfo
import click
from botmeter.errors import ClusterError, ConfigurationError, InvariantViolated, TaskCorrupted

@click.command()
@click.argument("what")
@click.pass_obj
def command(settings, what):
    match what:
        case "configuration": raise ConfigurationError("set this")
        case "cluster": raise ClusterError("no broker")
        case "other": raise TaskCorrupted("the store is damaged")
        case "invariant": raise InvariantViolated("two and two are five")
        case "bug": raise KeyError("nobody expected this")
        case "pipe": raise BrokenPipeError(32, "of something else")
        case "wait":
            click.echo("waiting")
            while True:  # one long wait would begin after a signal that came just before it
                time.sleep(0.1)
        case "much":
            for number in range(1_000_000):
                sys.stdout.write(f"{number}\\n")
        case "zones": click.echo(zoneinfo.TZPATH)
        case "settings": click.echo(settings.group)
"""
RUN = "import botmeter.cli as cli; cli.COMMANDS['probe'] = ('probe_command', 'Help of the probe.'); cli.main()"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "probe_command.py").write_text(PROBE)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("BOTMETER_")}
    return inherited | {"PYTHONPATH": str(tmp_path)}


def run(environment: dict[str, str], *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", RUN, *arguments],
        env=environment | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def start(environment: dict[str, str], *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", RUN, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def test_help_lists_the_commands_with_their_help_the_settings_and_the_exit_codes(environment: dict[str, str]) -> None:
    done = run(environment, "--help")

    assert done.returncode == 0
    assert re.findall(r"^  ([a-z][a-z-]*) ", done.stdout, re.MULTILINE) == [*COMMANDS, "probe"]
    assert all(word in done.stdout for word in ("BOTMETER_BOOTSTRAP_SERVERS", "130  interrupted", "Help of the probe."))


def test_help_imports_no_command_and_nothing_heavy() -> None:
    script = (
        "import sys, botmeter.cli as cli\n"
        "cli.program.main(['--help'], standalone_mode=False)\n"
        "print(*sys.modules, sep='\\n', file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    imported = done.stderr.splitlines()

    assert "botmeter.cli" in imported
    assert {name.split(".")[0] for name in imported} & {
        "pydantic",
        "confluent_kafka",
        "faust",
        "msgspec",
        "rich",
    } == set()
    assert [name for name in imported if name.startswith("botmeter.cli.")] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_there_and_has_help(name: str) -> None:
    module, help_line = COMMANDS[name]
    command = importlib.import_module(module).command

    assert isinstance(command, click.Command)
    assert command.help
    assert help_line.endswith(".")


def test_help_of_the_worker_has_each_setting_on_a_line_of_its_own(environment: dict[str, str]) -> None:
    done = run(environment, "worker", "--help")

    assert re.search(r"^ +BOTMETER_PARTITIONS \(default 12\)$", done.stdout, re.MULTILINE)
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_the_version_is_that_of_the_package(environment: dict[str, str]) -> None:
    assert run(environment, "--version").stdout.startswith("botmeter 0.")


def test_an_unknown_command_is_wrong_usage(environment: dict[str, str]) -> None:
    done = run(environment, "wrker")

    assert (done.returncode, done.stdout) == (2, "")
    assert "No such command 'wrker'" in done.stderr


def test_a_wrong_setting_is_one_line(environment: dict[str, str]) -> None:
    done = run(environment, "probe", "settings", BOTMETER_PARTITIONS="0")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "botmeter: BOTMETER_PARTITIONS: should be greater than or equal to 1, not '0'\n"


def test_help_of_a_command_is_shown_under_wrong_settings_too(environment: dict[str, str]) -> None:
    assert run(environment, "probe", "--help", BOTMETER_PARTITIONS="0").returncode == 0


def test_the_file_named_by_the_option_is_read_before_the_one_of_the_environment(
    environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "option.toml").write_text('group = "from-option"')
    (tmp_path / "variable.toml").write_text('group = "from-variable"')

    done = run(
        environment,
        "--config",
        str(tmp_path / "option.toml"),
        "probe",
        "settings",
        BOTMETER_CONFIG=str(tmp_path / "variable.toml"),
    )

    assert (done.returncode, done.stdout) == (0, "from-option\n")


@pytest.mark.parametrize(
    ("what", "code", "line"),
    [
        ("configuration", 2, "botmeter: set this\n"),
        ("cluster", 3, "botmeter: no broker\n"),
        ("other", 1, "botmeter: the store is damaged\n"),
    ],
)
def test_an_error_raised_on_purpose_is_one_line_and_its_exit_code(
    what: str, code: int, line: str, environment: dict[str, str]
) -> None:
    done = run(environment, "probe", what)

    assert (done.returncode, done.stderr) == (code, line)


@pytest.mark.parametrize(
    ("what", "error"),
    [("bug", "KeyError"), ("invariant", "InvariantViolated"), ("pipe", "a pipe broke that is not the standard output")],
)
def test_a_bug_shows_its_traceback(what: str, error: str, environment: dict[str, str]) -> None:
    done = run(environment, "probe", what)

    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert error in done.stderr.splitlines()[-1]


def test_an_interrupted_program_exits_130_without_a_traceback(environment: dict[str, str]) -> None:
    with start(environment, "probe", "wait") as process:
        assert process.stdout
        assert process.stdout.readline() == b"waiting\n"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)

    assert process.returncode == 130
    assert b"Traceback" not in errors


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_goes_away_ends_the_program_quietly(unbuffered: str, environment: dict[str, str]) -> None:
    with start(environment | {"PYTHONUNBUFFERED": unbuffered}, "probe", "much") as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline() == b"0\n"
        process.stdout.close()
        errors = process.stderr.read()
        process.wait(timeout=60)

    assert (process.returncode, errors) == (141, b"")


def test_time_zones_come_from_the_pinned_package_alone(environment: dict[str, str]) -> None:
    assert run(environment, "probe", "zones").stdout == "()\n"
