"""The page docs/settings.md from the settings themselves: `python -m botmeter.settings_page > docs/settings.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Final

from botmeter.client_options import REFUSED_OPTIONS
from botmeter.settings import rows

_BEFORE: Final = """\
# Settings

<!-- Made by `python -m botmeter.settings_page > docs/settings.md`; a test says when it is out of date. -->

The environment wins over the TOML file, the file over the defaults. A wrong value, an unknown variable that begins with
`BOTMETER_` or an unknown key of the file ends the program with one line that names it, exit code 2.

"""
_EXAMPLE: Final = """
In the file the names are lower case, without `BOTMETER_`:

```toml
bootstrap_servers = "kafka-1:9093,kafka-2:9093"
partitions = 24
default_thresholds = [50, 80, 95]

[kafka]
security.protocol = "SASL_SSL"
sasl.mechanism = "SCRAM-SHA-512"
sasl.username = "botmeter"
```

`BOTMETER_KAFKA__SASL_PASSWORD` would complete it. Values of options that hold a secret are never printed.

## Options of librdkafka that cannot be set

"""


def page() -> str:
    """The whole page, Markdown."""
    settings = ((f"`{name}`", f"`{default}`" if default else "", meaning) for name, default, meaning in rows())
    refused = ((f"`{option}`", reason) for option, reason in REFUSED_OPTIONS.items())
    return (
        _BEFORE
        + _table(("variable", "default", "meaning"), settings)
        + _EXAMPLE
        + _table(("option", "because"), refused)
    )


def _table(head: tuple[str, ...], lines: Iterable[tuple[str, ...]]) -> str:
    return "".join(f"| {' | '.join(cells)} |\n" for cells in [head, ("---",) * len(head), *lines])


if __name__ == "__main__":
    sys.stdout.write(page())
