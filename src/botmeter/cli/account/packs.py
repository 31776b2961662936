"""`botmeter account buy | reduce | cancel-reduction | recharge | credit`: packs and credited sessions."""

from __future__ import annotations

from typing import Final

import click

from botmeter import client
from botmeter.cli.account.request import Request, require_consent, send_command, with_request, yes_option


@click.command(short_help="Buy packs.")
@click.argument("account_id", metavar="ACCOUNT")
@click.argument("packs", type=int)
@yes_option
@with_request
def buy(request: Request, account_id: str, packs: int) -> None:
    """Buy PACKS packs for ACCOUNT: for this billing cycle at once, and for every following one.

    Shows first what it costs and does, and asks for consent; with --yes it does not ask.

    \b
      botmeter account buy acme 2
      botmeter account buy acme 1 --yes --command-id order-4711
    """  # noqa: D301 - click's mark of lines to be kept
    command = client.purchase_packs(account_id, packs=packs, **request.issued)
    require_consent(request, command)
    send_command(request, command)


@click.command(short_help="Have fewer packs from the next billing cycle on.")
@click.argument("account_id", metavar="ACCOUNT")
@click.argument("packs", type=int)
@with_request
def reduce(request: Request, account_id: str, packs: int) -> None:
    """Remove PACKS packs from ACCOUNT from the next billing cycle on.

    This cycle keeps its packs; nothing is refunded. Until the cycle ends, `cancel-reduction` cancels it.

    \b
      botmeter account reduce acme 1
    """  # noqa: D301 - as above
    send_command(request, client.reduce_packs(account_id, packs=packs, **request.issued))


@click.command(short_help="Cancel a reduction that has not taken effect.")
@click.argument("account_id", metavar="ACCOUNT")
@with_request
def cancel_reduction(request: Request, account_id: str) -> None:
    """Cancel a reduction of ACCOUNT: the next billing cycle has, and costs, as many packs as this one."""
    send_command(request, client.cancel_reduction(account_id, **request.issued))


@click.command(short_help="Buy packs automatically when sessions run low.")
@click.argument("account_id", metavar="ACCOUNT")
@click.option("--below", type=int, default=0, show_default=True, help="Buy when fewer sessions than this remain.")
@click.option("--packs", type=int, help="How many packs to buy each time.")
@click.option("--off", is_flag=True, help="Switch it off.")
@yes_option
@with_request
def recharge(request: Request, account_id: str, below: int, packs: int | None, off: bool) -> None:  # noqa: FBT001 - a flag of the command line
    """Let ACCOUNT buy packs automatically, so that it never runs out of sessions.

    \b
      botmeter account recharge acme --below 500 --packs 1
      botmeter account recharge acme --off
    """  # noqa: D301 - as above
    if off == (packs is not None):
        raise click.UsageError("say either --packs N, with --below N, or --off")
    command = client.set_auto_recharge(account_id, below=0 if off else below, packs=packs or 0, **request.issued)
    if not off:
        require_consent(request, command)
    send_command(request, command)


@click.command(short_help="Give sessions out of goodwill.")
@click.argument("account_id", metavar="ACCOUNT")
@click.argument("sessions", type=int)
@click.option("--reason", required=True, help="Why, for the audit.")
@with_request
def credit(request: Request, account_id: str, sessions: int, reason: str) -> None:
    """Add SESSIONS sessions to the present pool of ACCOUNT, out of goodwill. They expire with the billing cycle.

    \b
      botmeter account credit acme 100 --reason "outage on 11 November"
    """  # noqa: D301 - as above
    send_command(request, client.credit_sessions(account_id, sessions=sessions, reason=reason, **request.issued))


COMMANDS: Final = (buy, reduce, cancel_reduction, recharge, credit)
