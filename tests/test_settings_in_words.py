"""A wrong setting is described in words, not in patterns or a library's terms."""

from __future__ import annotations

import json
import re

import pytest

from botmeter.errors import ConfigurationError
from botmeter.settings.load import load
from botmeter.settings.model import Settings
from botmeter.settings.shapes import IN_WORDS

SERVICE = "; Kubernetes sets it beside a Service of that name: set enableServiceLinks: false in the pod"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("BOTMETER_CURRENCY", "euro", "should be three capital letters, such as USD, not 'euro'"),
        ("BOTMETER_BOOTSTRAP_SERVERS", "", "should be host:port, more of them separated by commas alone, not ''"),
        ("BOTMETER_PARTITIONS", "many", "should be a whole number, not 'many'"),
        ("BOTMETER_DATA_DIR", "", "should name a directory, not ''"),
        ("BOTMETER_WEB_PORT", "tcp://:1", f"should be a whole number, not 'tcp://:1'{SERVICE}"),
    ],
)
def test_what_a_value_should_be(name: str, text: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, text)

    with pytest.raises(ConfigurationError) as caught:
        load()

    assert str(caught.value) == f"{name}: {said}"


def test_every_pattern_has_words() -> None:
    patterns = re.findall(r'"pattern": ("[^"]+")', json.dumps(Settings.model_json_schema()))

    assert {json.loads(pattern) for pattern in patterns} == IN_WORDS.keys()
