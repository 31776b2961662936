"""Roles: what a caller may see and do.

| role | sees | money | commands |
|---|---|---|---|
| viewer | its accounts | left out | none |
| billing_admin | its accounts | yes | on its accounts, but no opening, closing or crediting |
| operator | all accounts | yes | all |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from pydantic import TypeAdapter, ValidationError

from botmeter.contracts.fields import Id

Role = Literal["viewer", "billing_admin", "operator"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)
#: What only operators may ask for.
OPERATORS_COMMANDS: Final = frozenset({"open_account", "close_account", "credit_sessions"})

_ID: Final[TypeAdapter[str]] = TypeAdapter(Id)
_IDS: Final[TypeAdapter[frozenset[str]]] = TypeAdapter(frozenset[Id])


@dataclass(frozen=True, slots=True)
class Access:
    """A caller who has proved who it is.

    `subject` is who, as the journal's `issued_by` names it. `accounts` are those it may see; an operator sees all.
    `csrf_token` is what a form must send along, empty for callers without a cookie. `key` names the credential for
    rate limits.
    """

    subject: str
    role: Role
    accounts: frozenset[str]
    key: str
    csrf_token: str = ""

    @property
    def is_operator(self) -> bool:
        """Whether it sees every account."""
        return self.role == "operator"

    @property
    def sees_money(self) -> bool:
        """Whether prices and charges are there for it at all."""
        return self.role != "viewer"

    def may_see(self, account_id: str) -> bool:
        """Whether anything of the account is told to it."""
        return self.is_operator or account_id in self.accounts

    def may_ask_for(self, command: str) -> bool:
        """Whether it may issue commands of this type, such as `purchase_packs`, on an account it sees."""
        return self.is_operator or (self.role == "billing_admin" and command not in OPERATORS_COMMANDS)


def access_of(subject: object, role: object, accounts: object, key: str, csrf_token: str = "") -> Access:
    """Access as claims give it. Raises ValueError, in words for a person, when they give none."""
    try:
        named = _ID.validate_python(subject)
    except ValidationError:
        raise ValueError("`sub` is not an id of 1 to 256 characters") from None
    if role not in ROLES:
        raise ValueError(f"the role is none of {', '.join(ROLES)}")
    try:
        listed = _IDS.validate_python([] if accounts is None else accounts)
    except ValidationError:
        raise ValueError("the accounts are not a list of account ids") from None
    if role != "operator" and not listed:
        raise ValueError(f"a {role} needs at least one account")
    return Access(named, role, frozenset() if role == "operator" else listed, key, csrf_token)


def claims_of(subject: str, role: Role, accounts: frozenset[str]) -> Mapping[str, Any]:
    """The claims of our own tokens, which `access_of` reads back."""
    return {"sub": subject, "role": role, **({} if role == "operator" else {"accounts": sorted(accounts)})}
