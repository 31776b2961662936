"""`botmeter demo`: the whole system at work, without any configuration."""

from __future__ import annotations

import logging

import click

from botmeter.embedded.distribution import INSTALL_HINT
from botmeter.errors import ConfigurationError


@click.command(name="demo", short_help="See the whole system at work.")
@click.option(
    "--seconds", type=click.FloatRange(min=1), default=30, show_default=True, help="How long the traffic lasts."
)
@click.option(
    "--keep",
    is_flag=True,
    help="Continue the traffic until Ctrl-C, so that you can use the page, or your own client.",
)
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True),
    default=3000,
    show_default=True,
    help="Interactions a second.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same traffic.")
def command(seconds: float, keep: bool, rate: float, seed: int) -> None:  # noqa: FBT001 - a flag of the command line
    """See the whole system at work: an embedded Apache Kafka, a worker, and simulated traffic of twelve customers.

    Accounts are opened, packs bought, sessions used up, chats handed to agents, on a live page of the terminal, and on
    Admin > Billing in a browser: follow the link that is printed. There four more customers wait, one of whom runs out;
    buy it a pack, and see a bot answer its chats again.

    Ctrl-C ends the traffic. At the end everything is read back from Kafka and counted again, apart from the worker.
    Needs no configuration and leaves nothing behind; the first start on a machine downloads Apache Kafka.

    Exit code 1: the count found a difference.
    """
    # The clients recover from what they warn of; other errors are raised.
    logging.getLogger("botmeter").addHandler(logging.NullHandler())
    try:
        from botmeter.demo.show import Options, run  # noqa: PLC0415 - its packages are an extra
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "rich":
            raise
        raise ConfigurationError(f"the demo needs rich; {INSTALL_HINT}") from error
    if not run(Options(float("inf") if keep else seconds, rate, seed)):
        raise click.exceptions.Exit(1)
