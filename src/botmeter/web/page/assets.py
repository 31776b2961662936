"""The page's static files: their folder, and URLs that change with their contents."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

STATIC: Final = Path(__file__).parents[1] / "static"


@cache
def static_version() -> str:
    """Returns a digest of all static files. It is part of each URL, so a browser's cached copy is never out of date."""
    digest = hashlib.sha256()
    for path in sorted(STATIC.rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(STATIC)}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def static_url(path: str) -> str:
    """Returns the URL of a static file."""
    return f"/static/{static_version()}/{path}"
