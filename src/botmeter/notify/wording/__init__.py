"""The texts of the mails, one file per language; numbers and dates are formatted by the reader's locale."""

from __future__ import annotations

import tomllib
from datetime import datetime, tzinfo
from functools import cache
from importlib.resources import files
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time, get_timezone_location
from babel.numbers import format_decimal, format_percent

LANGUAGES: Final = ("en", "de")
#: The locale when a contact names a language without a country.
_DEFAULT_LOCALES: Final = {"en": "en_GB", "de": "de_DE"}


class Wording:
    """The texts of one language, filled in for one locale and time zone."""

    def __init__(self, locale: str, default_language: str, time_zone: str) -> None:
        """`locale` as in `de-AT`; a language without texts falls back to the default. An unknown time zone is UTC."""
        self._locale = _locale(locale) or _locale(default_language) or Locale("en", "GB")
        self.language: str = self._locale.language
        self._texts = _texts(self.language)
        try:
            self._zone: tzinfo = ZoneInfo(time_zone)
            self._zone_name = time_zone
        except (ZoneInfoNotFoundError, ValueError, OSError):
            self._zone, self._zone_name = ZoneInfo("UTC"), "UTC"

    def text(self, section: str, key: str, **filled: str) -> str:
        """A text with its placeholders filled in; the values are inserted unchanged."""
        text: str = self._texts[section][key]
        return text.format_map(filled)

    def texts(self, section: str, key: str, **filled: str) -> list[str]:
        """A list of texts with their placeholders filled in."""
        return [text.format_map(filled) for text in self._texts[section][key]]

    def counted(self, unit: str, number: int) -> str:
        """Such as `1 session` or `2,000 sessions`."""
        forms: dict[str, str] = self._texts["units"][unit]
        return forms[self._locale.plural_form(number)].format(n=self.number(number))

    def number(self, number: int) -> str:
        """With the locale's separators."""
        return format_decimal(number, locale=self._locale)

    def percent(self, percent: float) -> str:
        """A whole percentage, rounded down: 100 % only when really all is used."""
        return format_percent(int(percent) / 100, locale=self._locale)

    def date(self, moment: datetime) -> str:
        """Day, month and year in the account's time zone."""
        return format_date(self.local(moment), "long", locale=self._locale)

    def time(self, moment: datetime) -> str:
        """Hours and minutes in the account's time zone."""
        return format_time(self.local(moment), "short", locale=self._locale)

    def moment(self, moment: datetime) -> str:
        """Date and time in the account's time zone."""
        return f"{self.date(moment)}, {self.time(moment)}"

    def local(self, moment: datetime) -> datetime:
        """The moment in the account's time zone."""
        return moment.astimezone(self._zone)

    def zone(self) -> str:
        """The time zone's name, such as `New York (America/New_York)`."""
        if self._zone_name == "UTC":
            return "UTC"
        return f"{get_timezone_location(self._zone, locale=self._locale, return_city=True)} ({self._zone_name})"


def _locale(named: str) -> Locale | None:
    """The locale, if there are texts in its language."""
    try:
        parsed = Locale.parse(named.replace("_", "-"), sep="-")
    except (UnknownLocaleError, ValueError, TypeError):
        return None
    if parsed.language not in LANGUAGES:
        return None
    return parsed if parsed.territory else Locale.parse(_DEFAULT_LOCALES[parsed.language])


@cache
def _texts(language: str) -> dict[str, Any]:
    return tomllib.loads((files(__package__) / f"{language}.toml").read_text(encoding="utf-8"))
