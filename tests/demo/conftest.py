"""The demo's page is tried in the same browser as the page itself."""

from __future__ import annotations

from web.page.conftest import browser, open_page

__all__ = ["browser", "open_page"]
