"""A notice as a letter: one model, from which both the text and the HTML of a mail are rendered."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal
from urllib.parse import quote

from botmeter.contracts.instants import millis
from botmeter.notify.forecast import runs_out_at
from botmeter.notify.notices import Facts
from botmeter.notify.recipients import Recipient
from botmeter.notify.wording import Wording

Tone = Literal["good", "near", "out"]
_TONES: Final[dict[str, Tone]] = {
    "threshold_reached": "near",
    "projected": "near",
    "sessions_exhausted": "out",
    "bot_suspended": "out",
    "bot_resumed": "good",
}
_SUSPENSIONS: Final = ("no_sessions", "account_closed")
_RESUMPTIONS: Final = ("packs_purchased", "cycle_started", "sessions_credited", "plan_changed")
_MINUTE_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class Bar:
    """A part of a whole, drawn and in words."""

    label: str
    percent: int
    value: str
    tone: Tone | Literal["calendar"]


@dataclass(frozen=True, slots=True)
class Letter:
    """The content of a mail in one language, ready to be rendered."""

    language: str
    subject: str
    preview: str
    tone: Tone
    status: str
    heading: str
    paragraphs: tuple[str, ...]
    bars: tuple[Bar, ...]
    figures: tuple[tuple[str, str], ...]
    steps_title: str
    steps: tuple[str, ...]
    button: str
    url: str
    small: tuple[str, ...]


def compose(
    facts: Facts, alert_id: str, recipient: Recipient, time_zone: str, billing_url: str, default: str
) -> Letter:
    """The letter to the recipient. `billing_url` holds {account_id}; `default` is the default language."""
    wording = Wording(recipient.locale, default, time_zone)
    letter = _USAGE.get(facts.type, _compose_standing)(facts, wording)
    greeting = (wording.text("letter", "greeting", name=recipient.name),) if recipient.name else ()
    small = (
        wording.text("letter", "why", address=recipient.address, account=facts.account_id),
        wording.text("letter", "zone", zone=wording.zone()),
        wording.text("letter", "alert", alert=alert_id, at=wording.moment(facts.at)),
    )
    return replace(
        letter,
        paragraphs=(*greeting, *letter.paragraphs),
        url=billing_url.replace("{account_id}", quote(facts.account_id, safe="")),
        small=small,
    )


# --- Threshold, forecast, exhaustion ---------------------------------------------------------------------------------


def _compose_threshold(facts: Facts, wording: Wording) -> Letter:
    names, ahead = _names(facts, wording), _ahead(facts)
    forecast = _forecast(facts, wording) if ahead else None
    subject = "subject_early" if ahead and names["days"] else "subject"
    plain = wording.text(facts.type, "heading", **names)
    steps = wording.texts(facts.type, "steps", **names)
    return _usage_letter(
        facts,
        wording,
        subject=wording.text(facts.type, subject, **names),
        heading=forecast or plain,
        steps=[*steps, _recharge(facts, wording)],
    )


def _compose_projected(facts: Facts, wording: Wording) -> Letter:
    names = _names(facts, wording)
    heading = _forecast(facts, wording) or wording.text("projected", "status", **names)
    subject = "subject" if names["early_days"] else "subject_same_day"
    steps = wording.texts("threshold_reached", "steps", **names)
    return _usage_letter(
        facts,
        wording,
        subject=wording.text("projected", subject, **{**names, "days": names["early_days"]}),
        heading=heading,
        steps=[*steps, wording.text("projected", "no_recharge", **names)],
    )


def _compose_exhausted(facts: Facts, wording: Wording) -> Letter:
    names = _names(facts, wording)
    steps = wording.texts(facts.type, "steps", **names)
    if facts.pool != "complimentary":
        steps.append(wording.text(facts.type, "next_cycle", **names))
    letter = _usage_letter(
        facts,
        wording,
        subject=wording.text(facts.type, "subject", **names),
        heading=wording.text(facts.type, "heading", **names),
        steps=steps,
    )
    return replace(letter, steps_title=wording.text("letter", "now"))


def _usage_letter(facts: Facts, wording: Wording, *, subject: str, heading: str, steps: list[str]) -> Letter:
    names, is_free = _names(facts, wording), facts.pool == "complimentary"
    lead = wording.text(facts.type, "lead_complimentary" if is_free else "lead", **names)
    elapsed = () if is_free or facts.cycle_elapsed_percent is None else (_pace(facts, wording),)
    return Letter(
        language=wording.language,
        subject=subject,
        preview=lead,
        tone=_TONES[facts.type],
        status=wording.text(facts.type, "status"),
        heading=heading,
        paragraphs=(lead, *elapsed),
        bars=_bars(facts, wording),
        figures=_figures(facts, wording),
        steps_title=wording.text("letter", "next"),
        steps=tuple(steps),
        button=wording.text("letter", "button_buy"),
        url="",
        small=(),
    )


def _names(facts: Facts, wording: Wording) -> dict[str, str]:
    """The placeholders of the texts on usage. `days`: whole days to the cycle's end, empty when there are none."""
    runs_out, ends = _runs_out(facts), facts.cycle_ends_at or facts.at
    days = _days_between(facts.at, ends, wording)
    early_days = _days_between(runs_out, ends, wording) if runs_out else 0
    return {
        "account": _plain(facts.account_id),
        "percent": wording.percent(facts.percent or 0),
        "used": wording.number(facts.used or 0),
        "total": wording.counted("sessions", facts.total or 0),
        "total_number": wording.number(facts.total or 0),
        "remaining": wording.counted("sessions", facts.remaining or 0),
        "cycle_end": wording.moment(ends),
        "at": wording.moment(facts.at),
        "time": wording.time(facts.at),
        "date": wording.date(runs_out) if runs_out else "",
        "days": wording.counted("days", days) if days else "",
        "early_days": wording.counted("days", early_days) if early_days else "",
        "elapsed": wording.percent(facts.cycle_elapsed_percent or 0),
    }


def _ahead(facts: Facts) -> bool:
    """Whether usage runs ahead of the calendar; False when that is unknown."""
    elapsed = facts.cycle_elapsed_percent
    return elapsed is not None and facts.pool != "complimentary" and (facts.percent or 0) > elapsed


def _pace(facts: Facts, wording: Wording) -> str:
    if (facts.percent or 0) == 100:
        return wording.text("ahead", "ahead", **_names(facts, wording))
    return wording.text("ahead", "ahead" if _ahead(facts) else "in_step", **_names(facts, wording))


def _runs_out(facts: Facts) -> datetime | None:
    """When the sessions are used up at this pace, if before the cycle's end."""
    if facts.runs_out_at is not None:
        return facts.runs_out_at
    if facts.cycle_starts_at is None or facts.cycle_ends_at is None or facts.pool == "complimentary":
        return None
    moment_ms = runs_out_at(
        used=facts.used or 0,
        total=facts.total or 0,
        starts_at=millis(facts.cycle_starts_at),
        ends_at=millis(facts.cycle_ends_at),
        at=millis(facts.at),
    )
    return None if moment_ms is None else datetime.fromtimestamp(moment_ms / 1000, facts.at.tzinfo)


def _forecast(facts: Facts, wording: Wording) -> str | None:
    """The forecast as a sentence; None when the sessions last, or there is no forecast."""
    names = _names(facts, wording)
    if not names["date"]:
        return None
    if not names["early_days"]:
        return wording.text("forecast", "heading_same_day", **names)
    return wording.text("forecast", "heading", **{**names, "days": names["early_days"]})


def _recharge(facts: Facts, wording: Wording) -> str:
    recharge = facts.auto_recharge
    if recharge is None or not recharge.packs:
        return wording.text("threshold_reached", "no_recharge")
    below, packs = wording.counted("sessions", recharge.below), wording.counted("packs", recharge.packs)
    return wording.text("threshold_reached", "recharge", below=below, packs=packs)


def _bars(facts: Facts, wording: Wording) -> tuple[Bar, ...]:
    used, total = facts.used or 0, facts.total or 0
    percent = used * 100 // total if total else 0
    used_bar = Bar(wording.text("letter", "used"), percent, wording.percent(percent), _TONES[facts.type])
    if facts.cycle_elapsed_percent is None or facts.pool == "complimentary":
        return (used_bar,)
    elapsed = int(facts.cycle_elapsed_percent)
    return used_bar, Bar(wording.text("letter", "elapsed"), elapsed, wording.percent(elapsed), "calendar")


def _figures(facts: Facts, wording: Wording) -> tuple[tuple[str, str], ...]:
    is_free = facts.pool == "complimentary"
    return (
        (wording.number(facts.used or 0), wording.text("letter", "used_figure")),
        (wording.number(facts.remaining or 0), wording.text("letter", "remaining")),
        (wording.number(facts.total or 0), wording.text("letter", "total_complimentary" if is_free else "total")),
    )


def _days_between(first: datetime, last: datetime, wording: Wording) -> int:
    """Days on the account's calendar; an end at midnight is the end of the day before."""
    end = wording.local(datetime.fromtimestamp((millis(last) - _MINUTE_MS) / 1000, last.tzinfo))
    return max(0, (end.date() - wording.local(first).date()).days)


# --- Suspension, resumption ------------------------------------------------------------------------------------------


def _compose_standing(facts: Facts, wording: Wording) -> Letter:
    names = {"account": _plain(facts.account_id), "at": wording.moment(facts.at)}
    if facts.type == "bot_suspended":
        reason = facts.reason if facts.reason in _SUSPENSIONS else "no_sessions"
        heading, lead = f"heading_{reason}", f"lead_{reason}"
        steps = "steps_account_closed" if reason == "account_closed" else "steps"
    else:
        heading, steps = "heading", "steps"
        lead = f"lead_{facts.reason if facts.reason in _RESUMPTIONS else 'other'}"
    lead_text = wording.text(facts.type, lead, **names)
    return Letter(
        language=wording.language,
        subject=wording.text(facts.type, "subject", **names),
        preview=lead_text,
        tone=_TONES[facts.type],
        status=wording.text(facts.type, "status"),
        heading=wording.text(facts.type, heading),
        paragraphs=(lead_text,),
        bars=(),
        figures=(),
        steps_title=wording.text("letter", "now"),
        steps=tuple(wording.texts(facts.type, steps)),
        button=wording.text("letter", "button_open"),
        url="",
        small=(),
    )


_USAGE: Final = {
    "threshold_reached": _compose_threshold,
    "projected": _compose_projected,
    "sessions_exhausted": _compose_exhausted,
}


def _plain(name: str) -> str:
    """An account's name on one line and printable, because the subject, a mail header, contains it."""
    return " ".join("".join(character if character.isprintable() else " " for character in name).split())
