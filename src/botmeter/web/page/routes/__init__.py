"""The page's routes: `page_routes` for the application, and how it shows an error."""

from __future__ import annotations

from fastapi import APIRouter

from botmeter.web.page.routes import account, accounts, assets, commands, entrance, settings, statements, stream

#: In this order: of two that match, the first is taken.
PAGE_ROUTERS: tuple[APIRouter, ...] = (
    assets.router,
    entrance.router,
    accounts.router,
    stream.router,
    commands.router,
    settings.router,
    statements.router,
    account.router,
)

__all__ = ["PAGE_ROUTERS"]
