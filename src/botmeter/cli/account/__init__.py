"""`botmeter account`: every command and question of an account, without JSON, straight on Kafka.

`opening.py`, `packs.py` and `terms.py` are the commands, which `asking.py` sends; `effect.py` says what one will do.
`questions.py` and `history.py` are the questions. `words.py` is how numbers, money and moments are written.
"""

from __future__ import annotations

import click

from botmeter.cli.account import history, opening, packs, questions, terms
from botmeter.client import InvalidMessage


class _Group(click.Group):
    """A value that the contract does not take is wrong usage."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except InvalidMessage as error:
            raise click.UsageError(str(error)) from None


@click.group(name="account", cls=_Group)
def command() -> None:
    """Open accounts, buy packs, look at balances and statements.

    Straight on Kafka: a worker must run to answer commands, the web server need not. Cluster and topics are settings
    (BOTMETER_BOOTSTRAP_SERVERS, ...).

    \b
      botmeter account open acme --plan growth --contact admin@acme.example
      botmeter account buy acme 2
      botmeter account show acme

    Exit codes: 1 when a command is refused or no result comes, 2 wrong usage, 3 the broker cannot be reached.
    """  # noqa: D301 - click's mark of lines to be kept


for _part in (questions, history, opening, packs, terms):
    for _command in _part.COMMANDS:
        command.add_command(_command)
