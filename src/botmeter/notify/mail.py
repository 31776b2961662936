"""A letter as an e-mail: text and HTML, and headers that are the same whenever it is sent."""

from __future__ import annotations

import hashlib
import re
import textwrap
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from functools import cache
from typing import Final

from css_inline import CSSInliner
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from botmeter.notify.letter import Letter, compose
from botmeter.notify.notices import Notice, facts_of
from botmeter.notify.recipients import Recipient
from botmeter.settings.notify import named_address

_TEXT_COLUMNS: Final = 72
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_INVALID_IN_ADDRESS: Final = re.compile(r"[\x00-\x20\x7f-\x9f<>(),;]")


class NoAddressError(ValueError):
    """The contact is no e-mail address. Recovery: none; the account's contact has to be corrected."""


@dataclass(frozen=True, slots=True)
class Stationery:
    """The parts that all mails of an installation share."""

    sender: str
    reply_to: str
    billing_url: str
    language: str
    idempotency_header: str

    @property
    def envelope_sender(self) -> str:
        """The address to which bounces are sent."""
        return named_address(self.sender).addr_spec


def make_mail(
    notice: Notice, delivery_id: str, recipient: Recipient, time_zone: str, stationery: Stationery
) -> EmailMessage:
    """The mail, the same bytes for the same delivery. Raises NoAddressError."""
    facts = facts_of(notice.body)
    letter = compose(
        facts, facts.alert_id or notice.notice_id, recipient, time_zone, stationery.billing_url, stationery.language
    )
    sender = named_address(stationery.sender)
    mail = EmailMessage()
    mail["From"] = sender
    mail["To"] = _addressee(recipient)
    if stationery.reply_to:
        mail["Reply-To"] = named_address(stationery.reply_to)
    mail["Subject"] = _UNPRINTABLE.sub(" ", letter.subject)
    mail["Date"] = datetime.fromtimestamp(notice.at_ms / 1000, UTC)
    mail["Message-ID"] = f"<{delivery_id}@{sender.domain or 'localhost'}>"
    # No out-of-office reply and no bounce loop (RFC 3834; Exchange looks for its own).
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail["X-Entity-Ref-ID"] = delivery_id
    # For rules and searches in the reader's mail program.
    mail["X-Botmeter-Kind"] = notice.kind
    mail["X-Botmeter-Notice"] = _UNPRINTABLE.sub(" ", notice.notice_id)
    if stationery.idempotency_header:
        mail[stationery.idempotency_header] = idempotency_key(notice, recipient)
    mail.set_content(as_text(letter), cte="quoted-printable")
    mail.add_alternative(as_html(letter), subtype="html", cte="quoted-printable")
    mail["Content-Language"] = letter.language  # set last: add_alternative would have moved it to the text part
    mail.set_boundary(f"=_{delivery_id}")  # the default is random, and the mail must be the same bytes each time
    return mail


def idempotency_key(notice: Notice, recipient: Recipient) -> str:
    """The key by which a provider recognises a repeated mail: kind, notice and recipient, hashed to stay short."""
    hashes = (hashlib.sha256(text.encode()).hexdigest()[:32] for text in (notice.notice_id, recipient.address))
    return "/".join((notice.kind, *hashes))


def as_text(letter: Letter) -> str:
    """The letter as plain text."""
    return _environment().get_template("mail.txt.j2").render(letter=letter)


def as_html(letter: Letter) -> str:
    """The letter as HTML with inlined styles; media queries, for wide or dark clients, stay in a style element."""
    html = _environment().get_template("mail.html.j2").render(letter=letter)
    return _inliner().inline(html)


def _addressee(recipient: Recipient) -> Address:
    """Raises NoAddressError."""
    address = recipient.address.strip()
    local, _, domain = address.rpartition("@")
    if not local or not domain or _INVALID_IN_ADDRESS.search(address):
        raise NoAddressError(f"{recipient.address!r} is no e-mail address")
    try:
        plain_domain = domain if domain.isascii() else domain.encode("idna").decode()
        return Address(_UNPRINTABLE.sub(" ", recipient.name), local, plain_domain)
    except (ValueError, UnicodeError) as error:
        raise NoAddressError(f"{recipient.address!r} is no e-mail address: {error}") from None


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("botmeter.notify"),
        autoescape=select_autoescape(enabled_extensions=("html.j2",), default_for_string=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["wrapped"] = _wrapped
    return environment


def _wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(
        text, _TEXT_COLUMNS, initial_indent=indent, subsequent_indent=" " * len(indent), break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip


@cache
def _inliner() -> CSSInliner:
    return CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)
