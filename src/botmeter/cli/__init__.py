"""The program `botmeter`: finds a command's module when the command is called, and turns errors into exit codes."""

from __future__ import annotations

import importlib
import os
import select
import sys
import zoneinfo
from pathlib import Path
from typing import Final

import click

from botmeter.errors import BotmeterError, ConfigurationError, InvariantViolated, PermissionMissing

#: Each command's module, which exports a click object `command`, and its help in one line. A table, because importing
#: a module for its help would make `botmeter --help` and `botmeter replay` wait for Kafka and Faust.
COMMANDS: Final = {
    "demo": ("botmeter.cli.demo", "See the whole system at work: embedded Apache Kafka, simulated traffic."),
    "topics": ("botmeter.cli.topics", "Create the topics, or say what is wrong with them."),
    "worker": ("botmeter.cli.worker", "Run the stream processor."),
    "project": ("botmeter.cli.project", "Run the read side: the journal into a database, for page and API."),
    "replay": ("botmeter.cli.replay", "Run a tape through the same rules, without Kafka."),
    "verify": ("botmeter.cli.verify", "Recompute the outputs from the inputs and report every difference."),
    "dead-letters": ("botmeter.cli.dead_letters", "Look at what could not be taken, and send it back after a fix."),
    "partition": ("botmeter.cli.partition", "Look at partitions that cannot go on, and get them going."),
    "rules": ("botmeter.cli.rules", "Show the rules in force, or change them for all workers."),
    "doctor": ("botmeter.cli.doctor", "Check everything, and say what to do."),
    "simulate": ("botmeter.cli.simulate", "Publish realistic traffic to a cluster."),
    "web": ("botmeter.cli.web", "Serve the billing page and the API."),
    "account": ("botmeter.cli.account", "Open accounts, buy packs, look at balances and statements."),
    "notify": ("botmeter.cli.notify", "Tell people of alerts: e-mail and webhooks."),
    "kafka": ("botmeter.cli.kafka", "Run an Apache Kafka to try things with, on this machine alone."),
    "schemas": ("botmeter.cli.schemas", "Export the JSON Schemas and the AsyncAPI document."),
}

#: Exit codes of the contract, and what shells report for a program whose reader went away (128 + SIGPIPE).
INTERRUPTED: Final = 130
READER_GONE: Final = 141

EPILOG: Final = """\b
Settings:
  BOTMETER_* variables, such as BOTMETER_BOOTSTRAP_SERVERS, or a TOML file
  (--config). `botmeter worker --help` lists them all.

\b
Exit codes:
    0  done
    1  found differences, or failed
    2  wrong usage or a wrong setting
    3  cannot reach the broker, or a topic is wrong
  130  interrupted
"""


class _LazyGroup(click.Group):
    """Knows its commands by name and imports the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, _ = COMMANDS[cmd_name]
        command = importlib.import_module(module).command
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}.command is no command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command called; it finds the settings as the context's object. Help works with wrong ones too."""
        name, command, rest = super().resolve_command(ctx, args)
        if not ctx.resilient_parsing and not set(rest) & set(ctx.help_option_names):
            ctx.obj = _settings()
        return name, command, rest

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> None:
        try:
            super().invoke(ctx)
            sys.stdout.flush()
        except PermissionMissing as error:
            raise _named(error, ctx) from error
        except BrokenPipeError as error:
            if not _reader_is_gone():
                # Not as it came: click would end the program without a word.
                raise RuntimeError("a pipe broke that is not the standard output") from error
            # What is still buffered must not be written, and complained about, at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise click.exceptions.Exit(READER_GONE) from None


def _settings() -> object:
    from botmeter.settings.load import load  # noqa: PLC0415 - `botmeter --help` needs none, and pydantic takes its time

    return load()


def _named(error: PermissionMissing, ctx: click.Context) -> BotmeterError:
    """The error of a command with the permission that it lacks."""
    from botmeter.operations import permissions  # noqa: PLC0415 - as above
    from botmeter.settings.model import Settings  # noqa: PLC0415

    command, settings = ctx.invoked_subcommand, ctx.obj
    if command is None or command not in permissions.PROGRAMS or not isinstance(settings, Settings):
        return error
    return permissions.named(error, command, settings)


def _use_config(ctx: click.Context, parameter: click.Parameter, file: Path | None) -> Path | None:
    """Hand the file on as BOTMETER_CONFIG, where `load` looks for it, in processes that a command starts too."""
    del ctx, parameter
    if file:
        os.environ["BOTMETER_CONFIG"] = str(file.absolute())
    return file


@click.group(cls=_LazyGroup, epilog=EPILOG, context_settings={"help_option_names": ["--help", "-h"]})
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    expose_value=False,
    callback=_use_config,
    help="TOML file with settings. Default: the one that BOTMETER_CONFIG names.",
)
@click.version_option(package_name="botmeter", message="%(prog)s %(version)s")
def program() -> None:
    """Meter bot sessions on a chat platform: count, charge, warn, hand over to agents."""


def main() -> None:
    """Run the program; end the process with an exit code of the contract."""
    # The same log must give the same cycles on every machine, so zone rules come from the pinned tzdata package, never
    # from whatever the operating system has.
    zoneinfo.reset_tzpath(to=())
    try:
        code = program.main(prog_name="botmeter", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(INTERRUPTED)
    except InvariantViolated:
        raise  # a bug: its traceback is what helps
    except BotmeterError as error:
        sys.exit(tell(error))
    sys.exit(code)


def tell(error: BotmeterError) -> int:
    """Tell a person what stopped the program; the exit code that goes with it."""
    from botmeter.telemetry import logs  # noqa: PLC0415 - as above

    if logs.is_json():
        logs.log.error("%s", error)
    else:
        click.echo(f"botmeter: {error}", err=True)
    return error.exit_code if isinstance(error, ConfigurationError) else 1


def _reader_is_gone() -> bool:
    """Whether nobody reads the standard output any more, as after `| head`."""
    stdout = select.poll()
    stdout.register(sys.stdout, 0)  # errors and hang-ups are reported unasked
    return bool(stdout.poll(0))
