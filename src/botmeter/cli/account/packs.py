"""`botmeter account buy | reduce | cancel-reduction | recharge | credit`: sessions and what they cost."""

from __future__ import annotations

from typing import Final

import click

from botmeter import client
from botmeter.cli.account.asking import Asking, asks, carry_out, require_consent, yes_option


@click.command(short_help="Buy packs.")
@click.argument("account_id", metavar="ACCOUNT")
@click.argument("packs", type=int)
@yes_option
@asks
def buy(ask: Asking, account_id: str, packs: int) -> None:
    """Buy PACKS packs for ACCOUNT: for this billing cycle at once, and for every following one.

    Says first what it costs and does, and asks; --yes does not ask.

    \b
      botmeter account buy acme 2
      botmeter account buy acme 1 --yes --command-id order-4711
    """  # noqa: D301 - click's mark of lines to be kept
    command = client.purchase_packs(account_id, packs=packs, **ask.issued)
    require_consent(ask, command)
    carry_out(ask, command)


@click.command(short_help="Have fewer packs from the next billing cycle on.")
@click.argument("account_id", metavar="ACCOUNT")
@click.argument("packs", type=int)
@asks
def reduce(ask: Asking, account_id: str, packs: int) -> None:
    """Take PACKS packs away from ACCOUNT from the next billing cycle on.

    This cycle keeps its packs; nothing is refunded. Until the cycle ends, `cancel-reduction` takes it back.

    \b
      botmeter account reduce acme 1
    """  # noqa: D301 - as above
    carry_out(ask, client.reduce_packs(account_id, packs=packs, **ask.issued))


@click.command(short_help="Take back a reduction that is still to come.")
@click.argument("account_id", metavar="ACCOUNT")
@asks
def cancel_reduction(ask: Asking, account_id: str) -> None:
    """Take back a reduction of ACCOUNT: the next billing cycle has, and costs, as many packs as this one."""
    carry_out(ask, client.cancel_reduction(account_id, **ask.issued))


@click.command(short_help="Buy packs by itself when sessions run low.")
@click.argument("account_id", metavar="ACCOUNT")
@click.option("--below", type=int, default=0, show_default=True, help="Buy when fewer sessions than this remain.")
@click.option("--packs", type=int, help="How many packs to buy each time.")
@click.option("--off", is_flag=True, help="Switch it off.")
@yes_option
@asks
def recharge(ask: Asking, account_id: str, below: int, packs: int | None, off: bool) -> None:  # noqa: FBT001 - a flag of the command line
    """Let ACCOUNT buy packs by itself, so that it never runs out.

    \b
      botmeter account recharge acme --below 500 --packs 1
      botmeter account recharge acme --off
    """  # noqa: D301 - as above
    if off == (packs is not None):
        raise click.UsageError("say either --packs N, with --below N, or --off")
    command = client.set_auto_recharge(account_id, below=0 if off else below, packs=packs or 0, **ask.issued)
    if not off:
        require_consent(ask, command)
    carry_out(ask, command)


@click.command(short_help="Give sessions out of goodwill.")
@click.argument("account_id", metavar="ACCOUNT")
@click.argument("sessions", type=int)
@click.option("--reason", required=True, help="Why, for the audit.")
@asks
def credit(ask: Asking, account_id: str, sessions: int, reason: str) -> None:
    """Add SESSIONS sessions to the present pool of ACCOUNT, out of goodwill. They end with the billing cycle.

    \b
      botmeter account credit acme 100 --reason "outage on 11 November"
    """  # noqa: D301 - as above
    carry_out(ask, client.credit_sessions(account_id, sessions=sessions, reason=reason, **ask.issued))


COMMANDS: Final = (buy, reduce, cancel_reduction, recharge, credit)
