"""`botmeter schemas`: exports the contract as files, for other teams and their tools."""

from __future__ import annotations

from pathlib import Path

import click


@click.group(name="schemas")
def command() -> None:
    """The contract as JSON Schema and AsyncAPI."""


@command.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
def export(directory: Path) -> None:
    """Write JSON Schema 2020-12 of every message, and asyncapi.json (AsyncAPI 3) of every topic, to DIRECTORY."""
    from botmeter.contracts import schema_export  # noqa: PLC0415 - slow to import, needed nowhere else

    try:
        written = schema_export.export(directory)
    except OSError as error:
        raise click.ClickException(f"cannot write to {directory}: {error.strerror or error}") from error
    click.echo(f"{len(written)} files written to {directory}")
