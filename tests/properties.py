"""How hypothesis is used in these tests."""

from __future__ import annotations

from typing import Final

from hypothesis import settings

#: All else is as in the profile of all tests.
property_: Final = settings(max_examples=3 * settings().max_examples)
