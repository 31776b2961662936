"""The program `botmeter`: imports a command's module when the command is called, and turns errors into exit codes."""

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

#: Each command's module, which exports a click object `command`, and its one-line help. A table, because importing the
#: modules for their help would make `botmeter --help` and `botmeter replay` wait for Kafka and Faust.
COMMANDS: Final = {
    "demo": ("botmeter.cli.demo", "See the whole system at work: embedded Apache Kafka, simulated traffic."),
    "topics": ("botmeter.cli.topics", "Create the topics, or show what is wrong with them."),
    "worker": ("botmeter.cli.worker", "Run the stream processor."),
    "project": ("botmeter.cli.project", "Run the read side: the journal into a database, for page and API."),
    "replay": ("botmeter.cli.replay", "Run a tape through the same rules, without Kafka."),
    "verify": ("botmeter.cli.verify", "Recompute the outputs from the inputs and report every difference."),
    "dead-letters": ("botmeter.cli.dead_letters", "Look at dead letters, and send them back after a fix."),
    "partition": ("botmeter.cli.partition", "Look at partitions that cannot go on, and get them going."),
    "rules": ("botmeter.cli.rules", "Show the rules in force, or change them for all workers."),
    "doctor": ("botmeter.cli.doctor", "Check everything, and show what to do."),
    "simulate": ("botmeter.cli.simulate", "Publish realistic traffic to a cluster."),
    "web": ("botmeter.cli.web", "Serve the billing page and the API."),
    "account": ("botmeter.cli.account", "Open accounts, buy packs, look at balances and statements."),
    "notify": ("botmeter.cli.notify", "Send alerts by e-mail and webhook."),
    "kafka": ("botmeter.cli.kafka", "Run an Apache Kafka to try things with, on this machine alone."),
    "schemas": ("botmeter.cli.schemas", "Export the JSON Schemas and the AsyncAPI document."),
}

#: Exit codes of the contract, and the one that shells report for a program whose reader ended (128 + SIGPIPE).
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
        """Loads the settings as the context's object, except for help, which also works with wrong settings."""
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
            raise _with_permission(error, ctx) from error
        except BrokenPipeError as error:
            if not _reader_is_gone():
                # Not as BrokenPipeError: click would end the program silently.
                raise RuntimeError("a pipe broke that is not the standard output") from error
            # Python must not write the rest of the buffer at exit, which would print an error.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise click.exceptions.Exit(READER_GONE) from None


def _settings() -> object:
    from botmeter.settings.load import load  # noqa: PLC0415 - `botmeter --help` needs none, and pydantic loads slowly

    return load()


def _with_permission(error: PermissionMissing, ctx: click.Context) -> BotmeterError:
    """Returns the command's error, extended by the permission that it lacks."""
    from botmeter.operations import permissions  # noqa: PLC0415 - as above
    from botmeter.settings.model import Settings  # noqa: PLC0415

    command, settings = ctx.invoked_subcommand, ctx.obj
    if command is None or command not in permissions.PROGRAMS or not isinstance(settings, Settings):
        return error
    return permissions.named(error, command, settings)


def _use_config(ctx: click.Context, parameter: click.Parameter, file: Path | None) -> Path | None:
    """Sets BOTMETER_CONFIG to the file, so that `load` finds it, also in processes that a command starts."""
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
    # The same log must give the same cycles on every machine, so time zones come from the pinned tzdata package, never
    # from the operating system.
    zoneinfo.reset_tzpath(to=())
    try:
        code = program.main(prog_name="botmeter", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(INTERRUPTED)
    except InvariantViolated:
        raise  # a bug: the user needs the traceback
    except BotmeterError as error:
        sys.exit(report_error(error))
    sys.exit(code)


def report_error(error: BotmeterError) -> int:
    """Reports the error that ended the program; returns its exit code."""
    from botmeter.telemetry import logs  # noqa: PLC0415 - as above

    if logs.is_json():
        logs.log.error("%s", error)
    else:
        click.echo(f"botmeter: {error}", err=True)
    return error.exit_code if isinstance(error, ConfigurationError) else 1


def _reader_is_gone() -> bool:
    """Returns whether the reader of the standard output has ended, as after `| head`."""
    stdout = select.poll()
    stdout.register(sys.stdout, 0)  # errors and hang-ups are always reported
    return bool(stdout.poll(0))
