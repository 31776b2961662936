"""The client is light: it needs three libraries, and nothing of the worker or the web."""

from __future__ import annotations

import subprocess
import sys

#: What comes with confluent-kafka, msgspec and pydantic.
ALLOWED = {
    "annotated_types", "botmeter", "confluent_kafka", "msgspec", "pydantic", "pydantic_core", "typing_extensions",
    "typing_inspection", "tzdata",
}  # fmt: skip
ROOMS = {"client", "client_options", "contracts", "domain", "errors", "kafka", "telemetry"}


def test_the_client_imports_three_libraries_and_the_rooms_it_needs() -> None:
    code = (
        "import sys; before = set(sys.modules); import botmeter.client; "
        "print(*(name for name, module in sys.modules.items() if name not in before and "
        "('site-packages' in (getattr(module, '__file__', None) or '') or name.startswith('botmeter'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    imported = done.stdout.split()

    assert {name.partition(".")[0] for name in imported} - ALLOWED == set()
    assert {name.split(".")[1] for name in imported if name.startswith("botmeter.")} == ROOMS
