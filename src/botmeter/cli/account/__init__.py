"""`botmeter account`: all commands and queries of an account, without JSON, directly on Kafka.

`opening.py`, `packs.py` and `terms.py` have the commands, which `request.py` sends; `effect.py` describes their effect
before that. `questions.py` and `history.py` have the queries. `words.py` formats numbers, money and moments.
"""

from __future__ import annotations

import click

from botmeter.cli.account import history, opening, packs, questions, terms
from botmeter.client import InvalidMessage


class _Group(click.Group):
    """Reports a value that the contract rejects as wrong usage."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except InvalidMessage as error:
            raise click.UsageError(str(error)) from None


@click.group(name="account", cls=_Group)
def command() -> None:
    """Open accounts, buy packs, look at balances and statements.

    It uses Kafka directly: a worker must run to answer commands, the web server need not. Cluster and topics are
    settings (BOTMETER_BOOTSTRAP_SERVERS, ...).

    \b
      botmeter account open acme --plan growth --contact admin@acme.example
      botmeter account buy acme 2
      botmeter account show acme

    Exit codes: 1 when a command is refused or no result comes, 2 wrong usage, 3 the broker cannot be reached.
    """  # noqa: D301 - click's mark of lines to be kept


for _part in (questions, history, opening, packs, terms):
    for _command in _part.COMMANDS:
        command.add_command(_command)
