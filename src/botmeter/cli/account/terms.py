"""`botmeter account thresholds | contacts | billing-cycle`: an account's terms."""

from __future__ import annotations

from typing import Final

import click

from botmeter import client
from botmeter.cli.account.opening import BILLING_CYCLES
from botmeter.cli.account.request import Request, send_command, with_request
from botmeter.domain.cycles import BillingCycle


@click.command(short_help="Set the percentages of usage that alert.")
@click.argument("account_id", metavar="ACCOUNT")
@click.argument("percents", type=int, nargs=-1)
@click.option("--none", "no_percents", is_flag=True, help="Alert at none; at 100 % there is always an alert.")
@with_request
def thresholds(
    request: Request,
    account_id: str,
    percents: tuple[int, ...],
    no_percents: bool,  # noqa: FBT001 - a flag of the command line
) -> None:
    """Alert ACCOUNT when it has used these PERCENTS of its sessions.

    A threshold at or below the present usage counts as reached, and does not alert in this cycle.

    \b
      botmeter account thresholds acme 50 80 95
      botmeter account thresholds acme --none
    """  # noqa: D301 - click's mark of lines to be kept
    if no_percents == bool(percents):
        raise click.UsageError("say either percentages, such as 50 80 95, or --none")
    send_command(request, client.set_thresholds(account_id, percents=percents, **request.issued))


@click.command(short_help="Set who receives alerts.")
@click.argument("account_id", metavar="ACCOUNT")
@click.argument("contacts", nargs=-1, metavar="[MAIL]...")
@click.option("--none", "no_contacts", is_flag=True, help="No contacts.")
@with_request
def contacts(
    request: Request,
    account_id: str,
    contacts: tuple[str, ...],
    no_contacts: bool,  # noqa: FBT001 - a flag of the command line
) -> None:
    """Send the alerts of ACCOUNT to these addresses from now on, and to no others.

    \b
      botmeter account contacts acme admin@acme.example billing@acme.example
    """  # noqa: D301 - as above
    if no_contacts == bool(contacts):
        raise click.UsageError("say either addresses or --none")
    send_command(request, client.set_contacts(account_id, contacts=contacts, **request.issued))


@click.command(name="billing-cycle", short_help="Change the length of the billing cycle.")
@click.argument("account_id", metavar="ACCOUNT")
@click.argument("billing_cycle", type=BILLING_CYCLES)
@with_request
def billing_cycle(request: Request, account_id: str, billing_cycle: BillingCycle) -> None:
    """Change the length of the billing cycle of ACCOUNT, from the end of this one on."""
    send_command(request, client.change_billing_cycle(account_id, billing_cycle=billing_cycle, **request.issued))


COMMANDS: Final = (thresholds, contacts, billing_cycle)
