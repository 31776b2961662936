"""`botmeter account thresholds | contacts | billing-cycle`: what was agreed with an account."""

from __future__ import annotations

from typing import Final

import click

from botmeter import client
from botmeter.cli.account.asking import Asking, asks, carry_out
from botmeter.cli.account.opening import BILLING_CYCLES
from botmeter.domain.cycles import BillingCycle


@click.command(short_help="Set the percentages of usage to warn at.")
@click.argument("account_id", metavar="ACCOUNT")
@click.argument("percents", type=int, nargs=-1)
@click.option("--none", "no_percents", is_flag=True, help="Warn at none; at 100 % there is always an alert.")
@asks
def thresholds(
    ask: Asking,
    account_id: str,
    percents: tuple[int, ...],
    no_percents: bool,  # noqa: FBT001 - a flag of the command line
) -> None:
    """Warn ACCOUNT when it has used these PERCENTS of its sessions.

    One at or below the present usage counts as reached, and does not warn in this cycle.

    \b
      botmeter account thresholds acme 50 80 95
      botmeter account thresholds acme --none
    """  # noqa: D301 - click's mark of lines to be kept
    if no_percents == bool(percents):
        raise click.UsageError("say either percentages, such as 50 80 95, or --none")
    carry_out(ask, client.set_thresholds(account_id, percents=percents, **ask.issued))


@click.command(short_help="Set who is told of alerts.")
@click.argument("account_id", metavar="ACCOUNT")
@click.argument("contacts", nargs=-1, metavar="[MAIL]...")
@click.option("--none", "no_contacts", is_flag=True, help="Tell nobody.")
@asks
def contacts(
    ask: Asking,
    account_id: str,
    contacts: tuple[str, ...],
    no_contacts: bool,  # noqa: FBT001 - a flag of the command line
) -> None:
    """Tell these people of the alerts of ACCOUNT from now on, and no others.

    \b
      botmeter account contacts acme admin@acme.example billing@acme.example
    """  # noqa: D301 - as above
    if no_contacts == bool(contacts):
        raise click.UsageError("say either addresses or --none")
    carry_out(ask, client.set_contacts(account_id, contacts=contacts, **ask.issued))


@click.command(name="billing-cycle", short_help="Change the length of the billing cycle.")
@click.argument("account_id", metavar="ACCOUNT")
@click.argument("billing_cycle", type=BILLING_CYCLES)
@asks
def billing_cycle(ask: Asking, account_id: str, billing_cycle: BillingCycle) -> None:
    """Give ACCOUNT another length of billing cycle, from the end of this one on."""
    carry_out(ask, client.change_billing_cycle(account_id, billing_cycle=billing_cycle, **ask.issued))


COMMANDS: Final = (thresholds, contacts, billing_cycle)
