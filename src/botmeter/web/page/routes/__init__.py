"""The page's routes: `PAGE_ROUTERS` for the application."""

from __future__ import annotations

from fastapi import APIRouter

from botmeter.web.page.routes import account, accounts, assets, commands, settings, standalone, statements, stream

#: In matching order: the first router that matches handles the request.
PAGE_ROUTERS: tuple[APIRouter, ...] = (
    assets.router,
    standalone.router,
    accounts.router,
    stream.router,
    commands.router,
    settings.router,
    statements.router,
    account.router,
)

__all__ = ["PAGE_ROUTERS"]
