"""Numbers and money as the page writes them."""

from __future__ import annotations

from botmeter.domain.prices import Money as Price
from botmeter.readside.results import Money

#: A no-break space, between a number and its unit.
FIXED = "\u00a0"
#: A minus sign as wide as the plus sign.
MINUS = "\u2212"


def count(number: int) -> str:
    """`1,987`."""
    return f"{number:,}"


def signed(number: int) -> str:
    """`+1,000`, `-388`, with a minus that is as wide as a plus; `0`."""
    return f"+{number:,}" if number > 0 else f"{MINUS}{-number:,}" if number < 0 else "0"


def some(number: int, one: str, many: str | None = None) -> str:
    """`1 pack`, `3 packs`: a number with its noun, kept on one line."""
    return f"{number:,}{FIXED}{one if number == 1 else many or one + 's'}"


def percent(number: float) -> str:
    """`80 %`, `66.2 %`."""
    return f"{number:g}{FIXED}%"


def money(amount: Money | Price) -> str:
    """`100 USD`, `99.50 USD`: whole amounts without decimals."""
    whole, cents = divmod(amount.amount_minor, 100)
    return f"{whole:,}{f'.{cents:02}' if cents else ''}{FIXED}{amount.currency}"


def about(number: int) -> str:
    """A forecast, rounded to its precision: `about 420`, `about 1,200`."""
    step = 1 if number < 20 else 5 if number < 100 else 10 if number < 1_000 else 100
    return f"about{FIXED}{round(number / step) * step:,}"
