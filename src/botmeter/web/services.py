"""What the routes work with: questions to the read side, the client that sends commands, entitlement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from botmeter.client import AsyncClient
from botmeter.readside.queries import Queries
from botmeter.readside.used_links import UsedLinks
from botmeter.web.entitlement.service import Entitlement


@dataclass(frozen=True, slots=True)
class Services:
    """Handed to the application by whoever starts it."""

    queries: Queries
    client: AsyncClient
    entitlement: Entitlement
    used_links: UsedLinks


def services_of(request: Request) -> Services:
    """The application's services."""
    services: Services = request.app.state.services
    return services


async def _queries(request: Request) -> Queries:
    return services_of(request).queries


async def _client(request: Request) -> AsyncClient:
    return services_of(request).client


async def _entitlement(request: Request) -> Entitlement:
    return services_of(request).entitlement


# Functions that wait for nothing, and yet `async`: FastAPI would call others in a thread.
#: What a route's parameter is annotated with.
Asked = Annotated[Queries, Depends(_queries)]
Sending = Annotated[AsyncClient, Depends(_client)]
Entitled = Annotated[Entitlement, Depends(_entitlement)]
