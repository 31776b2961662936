"""What a mail says and which headers it has; the same delivery gives the same bytes, whatever an account is called."""

from __future__ import annotations

import json
import re
import tomllib
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP, default
from importlib.resources import files
from string import Formatter
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botmeter.notify.mail import NoAddressError, Stationery, idempotency_key, make_mail
from botmeter.notify.notices import Notice, facts_of
from botmeter.notify.recipients import Recipient
from botmeter.notify.wording import LANGUAGES

from .notices import MAYA, NOON_MS, alert, exhausted, standing

STATIONERY: Final = Stationery(
    sender="botmeter <alerts@botmeter.example>",
    reply_to="",
    billing_url="https://botmeter.example/billing/accounts/{account_id}",
    language="en",
    idempotency_header="Resend-Idempotency-Key",
)
DELIVERY: Final = "0123456789abcdef0123456789abcdef"


def made(message: dict[str, Any], recipient: Recipient = MAYA, zone: str = "America/New_York") -> EmailMessage:
    body = {key: value for key, value in message.items() if key != "contacts"}
    notice = Notice("alert/northwind/41", message["type"], message["account_id"], NOON_MS, json.dumps(body))
    return make_mail(notice, DELIVERY, recipient, zone, STATIONERY)


def text(mail: EmailMessage, kind: str = "plain") -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return " ".join(str(part.get_content()).split())


def german(recipient: Recipient = MAYA) -> Recipient:
    return Recipient("email", recipient.address, recipient.name, "de-DE")


def test_the_headers_are_those_of_an_automatic_mail_that_may_be_sent_again() -> None:
    mail = made(alert())

    assert mail["Message-ID"] == f"<{DELIVERY}@botmeter.example>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"].datetime.timestamp() == NOON_MS / 1000
    assert mail["From"] == "botmeter <alerts@botmeter.example>"
    assert mail["To"] == "Maya <maya@northwind.example>"
    assert re.fullmatch(r"threshold_reached/[0-9a-f]{32}/[0-9a-f]{32}", mail["Resend-Idempotency-Key"])
    assert mail["List-Unsubscribe"] is None


def test_the_same_delivery_gives_the_same_bytes() -> None:
    assert made(alert()).as_bytes() == made(alert()).as_bytes()


def test_at_80_percent_it_says_how_long_the_sessions_last_and_what_happens_then() -> None:
    said = text(made(alert()))

    assert "At this pace your sessions are used up on 18 November 2026, 12 days before the cycle ends" in said
    assert "northwind has used 2,400 of the 3,000 sessions in this billing cycle" in said
    assert "600 sessions remain until the cycle ends on 1 December 2026, 00:00" in said
    assert "ahead of the calendar: 48% of the billing cycle has passed" in said
    assert "new chats in the conversations widget go to your agents" in said
    assert "https://botmeter.example/billing/accounts/northwind" in said


def test_t7_usage_in_step_with_the_calendar_is_told_apart() -> None:
    mail = made(alert(at="2026-11-28T14:02:11.000Z", cycle_elapsed_percent=92.0))

    assert mail["Subject"] == "northwind: 80% of your bot sessions are used"
    assert "in step with the calendar" in text(mail)
    assert "At this pace" not in text(mail)


def test_an_early_alert_says_so_in_its_subject() -> None:
    subject = made(alert())["Subject"]

    assert subject == "northwind: 80% of your bot sessions are used, 15 days before the cycle ends"


def test_at_100_percent_it_says_since_when_agents_answer() -> None:
    mail = made(exhausted())

    assert mail["Subject"] == "northwind: all bot sessions are used, agents answer new chats"
    assert "Since 09:02, new chats go to your agents" in text(mail)
    assert "As soon as you buy packs, the bot answers new chats again" in text(mail)
    assert "until the next cycle begins on 1 December 2026, 00:00" in text(mail)


def test_a11_auto_recharge_is_told() -> None:
    said = text(made(alert(auto_recharge={"below": 500, "packs": 1})))

    assert "when fewer than 500 sessions remain, 1 pack will be bought by itself" in said


def test_complimentary_sessions_know_no_calendar() -> None:
    said = text(made(alert(pool="complimentary", total=500, used=400, remaining=100)))

    assert "400 of its 500 complimentary sessions" in said
    assert "calendar" not in said
    assert "At this pace" not in said


def test_an_alert_of_an_older_worker_does_without_what_it_lacks() -> None:
    message = alert()
    for later in ("cycle_elapsed_percent", "cycle_starts_at", "time_zone", "plan", "packs", "auto_recharge"):
        del message[later]
    said = text(made(message, zone="UTC"))

    assert "80% of your bot sessions are used" in said
    assert "calendar" not in said


def test_a_german_reader_gets_german_with_german_numbers_and_dates() -> None:
    mail = made(alert(), german())

    subject = mail["Subject"].replace("\N{NO-BREAK SPACE}", " ")
    assert subject == "northwind: 80 % Ihrer Bot-Sitzungen sind verbraucht, 15 Tage vor dem Ende des Zeitraums"
    assert mail["Content-Language"] == "de"
    assert "2.400 von 3.000 Sitzungen" in text(mail)
    assert "am 18. November 2026 verbraucht, 12 Tage vor dem Ende" in text(mail)


@pytest.mark.parametrize("locale", ["", "fr-FR", "x", "xx-YY", "../../etc"])
def test_a_locale_without_texts_gets_the_default(locale: str) -> None:
    assert made(alert(), Recipient("email", "a@x.example", "", locale))["Content-Language"] == "en"


@pytest.mark.parametrize(
    ("zone", "end"),
    [("Asia/Kolkata", "1 December 2026, 10:30"), ("UTC", "1 December 2026, 05:00"), ("Nowhere/At_all", "05:00")],
)
def test_times_are_those_of_the_accounts_zone(zone: str, end: str) -> None:
    assert end in text(made(alert(), zone=zone))


@pytest.mark.parametrize("reason", ["packs_purchased", "cycle_started", "sessions_credited", "plan_changed", "new"])
def test_a_resumption_says_why(reason: str) -> None:
    mail = made(standing("bot_resumed", reason))

    assert mail["Subject"] == "northwind: the bot answers again"
    assert "Chats that went to agents stay with the agents" in text(mail)


@pytest.mark.parametrize(("reason", "said"), [("no_sessions", "no sessions"), ("account_closed", "was closed on")])
def test_a_suspension_says_why(reason: str, said: str) -> None:
    assert said in text(made(standing("bot_suspended", reason)))


@pytest.mark.parametrize("message", [alert(), exhausted(), standing("bot_resumed", "packs_purchased")])
@pytest.mark.parametrize("recipient", [MAYA, german()])
def test_html_and_text_say_the_same_and_nothing_is_fetched(message: dict[str, Any], recipient: Recipient) -> None:
    mail = made(message, recipient)
    html_part = mail.get_body(("html",))
    assert html_part is not None
    html = html_part.get_content()
    words = " ".join(re.sub(r"<style.*?</style>|<[^>]+>|&\w+;|&#\d+;", " ", html, flags=re.DOTALL).split())
    plain = mail.get_body(("plain",))
    assert plain is not None
    lines = [line.strip("- ") for line in plain.get_content().splitlines() if line.startswith("- ")]

    assert lines
    assert all(" ".join(line.split()) in words for line in lines)
    assert not re.search(r"<img|<link|<script|url\(|@import|src=", html)
    assert [url for url in re.findall(r"https?://[^\s\"<]+", html) if "botmeter.example" not in url] == []


def test_a_subject_is_one_header_whatever_the_account_is_called() -> None:
    mail = made(alert("evil\r\nBcc: everybody@x.example\r\n\r\n<script>"))
    parsed = message_from_bytes(mail.as_bytes(policy=SMTP), policy=default)

    assert parsed["Bcc"] is None
    assert parsed["Subject"].startswith("evil Bcc: everybody@x.example <script>: 80%")
    html = mail.get_body(("html",))
    assert html is not None
    assert "<script" not in html.get_content()


NAMES: Final = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)


@given(account=NAMES, name=NAMES)
def test_no_name_adds_a_header_or_a_line_to_a_mail(account: str, name: str) -> None:
    mail = made(alert(account), Recipient("email", "maya@northwind.example", name))
    parsed = message_from_bytes(mail.as_bytes(policy=SMTP), policy=default)

    assert parsed.keys() == made(alert()).keys()
    assert [address.addr_spec for address in parsed["To"].addresses] == ["maya@northwind.example"]


@pytest.mark.parametrize(
    "address",
    [
        "",
        "maya",
        "@x.example",
        "maya@",
        "a@x.example\r\nBcc: b@x.example",
        "a@x.example, b@x.example",
        "<a@x.example>",
        "a b@x",
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(NoAddressError, match="no e-mail address"):
        made(alert(), Recipient("email", address))


def test_a_domain_beyond_ascii_is_written_as_dns_has_it() -> None:
    assert made(alert(), Recipient("email", "info@bücher.example"))["To"].addresses[0].domain == "xn--bcher-kva.example"


def test_idempotency_keys_differ_by_notice_and_recipient() -> None:
    first = Notice("alert/a/1", "threshold_reached", "a", 0, "{}")
    second = Notice("alert/a/2", "threshold_reached", "a", 0, "{}")
    others = {idempotency_key(each, to) for each in (first, second) for to in (MAYA, german(Recipient("email", "b@x")))}

    assert len(others) == 4


def _leaves(table: Any, above: str = "") -> dict[str, Any]:
    if isinstance(table, dict):
        return {name: text for key, value in table.items() for name, text in _leaves(value, f"{above}.{key}").items()}
    return {above: table}


def _fields(texts: Any) -> set[str]:
    joined = " ".join(texts) if isinstance(texts, list) else texts
    return {name for _, name, _, _ in Formatter().parse(joined) if name}


def test_every_language_says_everything_with_the_same_names() -> None:
    read = [tomllib.loads((files("botmeter.notify.wording") / f"{each}.toml").read_text()) for each in LANGUAGES]
    first, *others = [{name: _fields(text) for name, text in _leaves(texts).items()} for texts in read]

    assert others
    assert all(other == first for other in others)


def test_an_alert_without_its_numbers_is_not_readable() -> None:
    message = alert()
    del message["used"]
    with pytest.raises(ValueError, match="an alert without used"):
        facts_of(json.dumps(message))


def test_a_forecast_names_the_day_and_how_far_it_is_from_the_cycles_end() -> None:
    mail = made(alert(type="projected", percent=50, used=1500, remaining=1500, runs_out_at="2026-11-24T10:00:00.000Z"))

    assert (
        mail["Subject"] == "northwind: at this pace your bot sessions end on 24 November 2026, 6 days before the cycle"
    )
    assert "You get this forecast once a cycle" in text(mail)
    assert "The sessions will not last" in text(mail)
