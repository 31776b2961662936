"""`botmeter account open | close | plan`: opens and closes accounts, and changes their plan."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, get_args

import click

from botmeter import client
from botmeter.cli.account.request import Request, require_consent, send_command, with_request, yes_option
from botmeter.domain.commands import Plan
from botmeter.domain.cycles import BillingCycle

PLANS: Final = click.Choice(get_args(Plan))
BILLING_CYCLES: Final = click.Choice(get_args(BillingCycle))


@click.command(name="open", short_help="Open an account.")
@click.argument("account_id", metavar="ACCOUNT")
@click.option("--plan", type=PLANS, required=True, help="All but free come with complimentary sessions, once.")
@click.option("--billing-cycle", type=BILLING_CYCLES, default="monthly", show_default=True)
@click.option(
    "--anchor",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    metavar="DATE",
    help="The start of the billing cycles, such as 2026-11-01, UTC. Default: now.",
)
@click.option("--time-zone", default="UTC", show_default=True, help="IANA time zone of the billing cycles.")
@click.option("--contact", "contacts", multiple=True, metavar="MAIL", help="Who receives alerts; may be repeated.")
@with_request
def open_(
    request: Request,
    account_id: str,
    plan: Plan,
    billing_cycle: BillingCycle,
    anchor: datetime | None,
    time_zone: str,
    contacts: tuple[str, ...],
) -> None:
    """Open ACCOUNT. On any plan but free it gets its complimentary sessions at once.

    \b
      botmeter account open acme --plan growth
      botmeter account open globex --plan pro --billing-cycle annual \\
        --time-zone America/New_York --contact admin@globex.example
    """  # noqa: D301 - click's mark of lines to be kept
    command = client.open_account(
        account_id,
        plan=plan,
        billing_cycle=billing_cycle,
        anchor=None if anchor is None else anchor.replace(tzinfo=UTC),
        time_zone=time_zone,
        contacts=contacts,
        **request.issued,
    )
    send_command(request, command)


@click.command(short_help="Close an account for good.")
@click.argument("account_id", metavar="ACCOUNT")
@yes_option
@with_request
def close(request: Request, account_id: str) -> None:
    """Close ACCOUNT for good: its bots are suspended, packs no longer renew, and it cannot be opened again."""
    command = client.close_account(account_id, **request.issued)
    require_consent(request, command)
    send_command(request, command)


@click.command(short_help="Move an account to another plan.")
@click.argument("account_id", metavar="ACCOUNT")
@click.argument("plan", type=PLANS)
@yes_option
@with_request
def plan(request: Request, account_id: str, plan: Plan) -> None:
    """Move ACCOUNT to PLAN. Moving to free forfeits complimentary sessions that are left, and asks first."""
    command = client.change_plan(account_id, plan=plan, **request.issued)
    if plan == "free":
        require_consent(request, command)
    send_command(request, command)


COMMANDS: Final = (open_, plan, close)
