"""`botmeter account list | show`: the present state of accounts."""

from __future__ import annotations

from typing import Any, Final

import click
import msgspec

from botmeter.cli.account.request import connected, standing_of
from botmeter.cli.account.words import bar, count, moment, money, table
from botmeter.client import BalanceTable
from botmeter.contracts import catalogue
from botmeter.contracts.instants import rfc3339
from botmeter.domain.account import Account
from botmeter.domain.announcements import Balance, balance_of
from botmeter.domain.contacts import Contact
from botmeter.history.log import Standing
from botmeter.settings.model import Settings

_STATUS: Final = {
    "active": "the bot answers",
    "exhausted": "new chats go to the agents",
    "closed": "closed",
}
_CYCLES: Final = {"monthly": "monthly", "quarterly": "quarterly", "half_yearly": "half-yearly", "annual": "annual"}


@click.command(name="list", short_help="All accounts and their balances.")
@click.option(
    "--sort",
    type=click.Choice(["risk", "name"]),
    default="risk",
    show_default=True,
    help="By used share, or by account.",
)
@click.option("--status", type=click.Choice(list(_STATUS)), help="Only these accounts.")
@click.option("--json", "is_json", is_flag=True, help="Print each balance as JSON, as its topic has it, one a line.")
@click.pass_obj
def list_(settings: Settings, sort: str, status: str | None, is_json: bool) -> None:  # noqa: FBT001 - a flag of the command line
    """List all accounts with their balances, those that run out first at the top.

    \b
      botmeter account list --status exhausted
      botmeter account list --json | jq 'select(.used_percent > 80)'
    """  # noqa: D301 - click's mark of lines to be kept
    with BalanceTable(connected(settings)) as balances:
        found = [balance for balance in balances.all().values() if status in {None, balance.status}]
    found.sort(key=_risk if sort == "risk" else lambda balance: (balance.account_id,))
    if is_json:
        for balance in found:
            click.echo(catalogue.BALANCES.encode(balance).decode())
        return
    rows = [_row(balance) for balance in found]
    head = ("account", "status", "plan", "used", "total", "left", "%", "packs", "next", "cycle ends (UTC)")
    if rows:
        click.echo(table(head, rows, frozenset({3, 4, 5, 6, 7, 8})))
    click.echo(count(len(found), "account"), err=True)


def _risk(balance: Balance) -> tuple[Any, ...]:
    """Sorts exhausted accounts first, then by used share; closed ones last."""
    return (balance.status == "closed", -balance.used_percent, balance.remaining, balance.account_id)


def _row(balance: Balance) -> tuple[str, ...]:
    numbers = (balance.used, balance.total, balance.remaining)
    packs = (balance.packs, balance.packs_next_cycle)
    return (
        balance.account_id,
        balance.status,
        balance.plan,
        *(f"{number:,}" for number in numbers),
        f"{balance.used_percent:.1f}",
        *(f"{number:,}" for number in packs),
        moment(balance.cycle.ends_at, "UTC").removesuffix(" UTC"),
    )


@click.command(short_help="One account in full.")
@click.argument("account_id", metavar="ACCOUNT")
@click.option("--json", "is_json", is_flag=True, help="Print it as JSON.")
@click.pass_obj
def show(settings: Settings, account_id: str, is_json: bool) -> None:  # noqa: FBT001 - a flag of the command line
    """Show ACCOUNT: its balance, packs, thresholds, contacts, auto-recharge, up to the end of its journal as of now."""
    standing = standing_of(connected(settings), account_id)
    if is_json:
        click.echo(msgspec.json.encode(_as_json(standing)).decode())
    else:
        click.echo(_in_words(standing, settings))


def _in_words(standing: Standing, settings: Settings) -> str:
    account, zone = standing.account, standing.account.terms.time_zone
    allowance, cycle, terms = account.allowance, account.cycle, account.terms
    balance = balance_of(account, standing.at)
    length = _CYCLES[terms.billing_cycle]
    ends = "" if account.status == "closed" else f", ends {moment(cycle.ends_at, zone)}"
    lines = {
        "status": f"{account.status}: {_STATUS[account.status]}",
        "plan": terms.plan,
        "sessions": f"{allowance.used:,} of {allowance.total:,} used, {allowance.remaining:,} left ({allowance.pool})",
        "": f"{bar(allowance.used, allowance.total)} {balance.used_percent:.1f} %",
        "cycle": f"{cycle.number}, {length}, since {moment(cycle.starts_at, zone)}{ends}",
        "packs": _packs(account, settings),
        "thresholds": ", ".join(_threshold(account, percent) for percent in terms.thresholds) or "none but 100 %",
        "recharge": _recharge(account),
        "contacts": ", ".join(map(_address, terms.contacts)) or "none",
        "time zone": zone,
        "as of": f"version {account.version}, journal partition {standing.partition} to {standing.journal_offset:,}",
    }
    return "\n".join([account.account_id, *(f"  {name:<11} {text}" for name, text in lines.items())])


def _address(contact: Contact) -> str:
    return contact if isinstance(contact, str) else contact.email


def _packs(account: Account, settings: Settings) -> str:
    allowance, prices = account.allowance, settings.rules().prices
    now, then = allowance.packs, allowance.packs_next_cycle
    if now == then:
        return f"{now:,}, {money(prices.charge(now))} a billing cycle" if now else "none"
    return f"{now:,} now, {then:,} from the next cycle on ({money(prices.charge(then))})"


def _threshold(account: Account, percent: int) -> str:
    return f"{percent} %{' (reached)' if percent in account.allowance.reached else ''}"


def _recharge(account: Account) -> str:
    terms = account.terms
    if not terms.recharge_packs:
        return "off"
    return f"{count(terms.recharge_packs, 'pack')} when fewer than {terms.recharge_below:,} sessions remain"


def _as_json(standing: Standing) -> dict[str, Any]:
    """Returns the balance as its topic has it, and fields that it lacks."""
    account, terms = standing.account, standing.account.terms
    recharge = {"below": terms.recharge_below, "packs": terms.recharge_packs}
    balance: dict[str, Any] = msgspec.json.decode(catalogue.BALANCES.encode(balance_of(account, standing.at)))
    return balance | {
        "time_zone": terms.time_zone,
        "anchor": rfc3339(terms.anchor),
        "next_billing_cycle": terms.next_billing_cycle,
        "thresholds": terms.thresholds,
        "thresholds_reached": account.allowance.reached,
        "auto_recharge": recharge if terms.recharge_packs else None,
        "contacts": terms.contacts,
        "journal_partition": standing.partition,
        "journal_offset": standing.journal_offset,
    }


COMMANDS: Final = (list_, show)
