"""How hypothesis is used in these tests."""

from __future__ import annotations

import os
from typing import Final

from hypothesis import settings

#: The same examples on every run where CI is set; new ones on every run elsewhere. No deadline: the machine is shared.
settings.register_profile("engine", deadline=None, max_examples=300, derandomize=bool(os.environ.get("CI")))
property_: Final = settings(settings.get_profile("engine"))
