"""Static files, under a path that changes with their contents, so that browsers can cache them forever."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from fastapi.responses import FileResponse, Response

from botmeter.web.page.assets import STATIC, static_version
from botmeter.web.problems import not_found

router = APIRouter(include_in_schema=False)

_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".json": "application/json",
}


@router.get("/static/{version}/{path:path}")
def static_file(version: str, path: str) -> Response:
    """A file of the page; the URL of an old version returns the current file, but is not cached."""
    found = (STATIC / path).resolve()
    if not found.is_relative_to(STATIC) or not found.is_file():
        raise not_found("file")
    caching = "public, max-age=31536000, immutable" if version == static_version() else "no-cache"
    return FileResponse(
        found, media_type=_TYPES.get(found.suffix, "text/plain; charset=utf-8"), headers={"Cache-Control": caching}
    )
