"""The rules of the domain, given/when/then. Each test names the rule it proves (`S1`, `A5`, ...)."""

import pytest

pytest.register_assert_rewrite(f"{__name__}.ledger")
