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
#: Commands that only operators may issue.
OPERATOR_COMMANDS: Final = frozenset({"open_account", "close_account", "credit_sessions"})

_ID: Final[TypeAdapter[str]] = TypeAdapter(Id)
_IDS: Final[TypeAdapter[frozenset[str]]] = TypeAdapter(frozenset[Id])


@dataclass(frozen=True, slots=True)
class Access:
    """An authenticated caller and what it may do.

    `subject` is its name, the journal's `issued_by`. `accounts` are those it may see; an operator sees all. A form must
    send `csrf_token`, which is empty for callers without a cookie. `key` identifies the credential for rate limits.
    """

    subject: str
    role: Role
    accounts: frozenset[str]
    key: str
    csrf_token: str = ""

    @property
    def is_operator(self) -> bool:
        """Whether the caller may see every account."""
        return self.role == "operator"

    @property
    def sees_money(self) -> bool:
        """Whether the caller may see prices and charges."""
        return self.role != "viewer"

    def may_see(self, account_id: str) -> bool:
        """Whether the caller may see the account."""
        return self.is_operator or account_id in self.accounts

    def may_issue(self, command: str) -> bool:
        """Whether the caller may issue commands of this type, such as `purchase_packs`, on an account it may see."""
        return self.is_operator or (self.role == "billing_admin" and command not in OPERATOR_COMMANDS)


def access_of(subject: object, role: object, accounts: object, key: str, csrf_token: str = "") -> Access:
    """Returns the access that the claims give. Raises ValueError, worded for a person, when they give none."""
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
    """Returns the claims of our own tokens; `access_of` reads them."""
    return {"sub": subject, "role": role, **({} if role == "operator" else {"accounts": sorted(accounts)})}
