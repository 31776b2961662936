"""Generates help texts and docs/settings.md: `python -m botmeter.settings.page > docs/settings.md`."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable
from typing import Final

from botmeter.client_options import KAFKA_PREFIX, REFUSED_OPTIONS
from botmeter.settings.model import CONFIG_VARIABLE, Settings, variable

_BEFORE: Final = """\
# Settings

<!-- Made by `python -m botmeter.settings.page > docs/settings.md`; a test says when it is out of date. -->

The environment overrides the TOML file, and the file overrides the defaults. A wrong value, an unknown variable that
begins with `BOTMETER_` or an unknown key of the file ends the program with one line that names it, exit code 2.

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

`BOTMETER_KAFKA__SASL_PASSWORD` would complete it. Secret values are never printed.

## Options of librdkafka that cannot be set

"""


def rows() -> list[tuple[str, str, str]]:
    """Returns variable, default and meaning of every setting, as help and documentation print them."""
    table = [(CONFIG_VARIABLE, "", "TOML file with settings, named as here in lower case without BOTMETER_.")]
    own_first = sorted(Settings.model_fields.items(), key=lambda item: item[0] not in Settings.__annotations__)
    for name, field in own_first:
        if name == "kafka":
            table.append((f"{KAFKA_PREFIX}<OPTION>", "", str(field.description)))
        else:
            default = ",".join(map(str, field.default)) if isinstance(field.default, tuple) else str(field.default)
            table.append((variable(name), default, str(field.description)))
    return table


def describe() -> str:
    """Formats all settings for a terminal of 80 columns, as one paragraph, so that a help text keeps its lines."""
    return "\n".join(
        f"  {name}{f' (default {default})' if default else ''}\n{textwrap.indent(textwrap.fill(meaning, 70), '      ')}"
        for name, default, meaning in rows()
    )


def page() -> str:
    """Returns the whole page as Markdown."""
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
