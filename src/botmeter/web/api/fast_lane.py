"""The fast lane: responds to the entitlement requests of a routing service without going through FastAPI.

FastAPI takes a third of a millisecond for any route, several times what the answer itself takes. So a simple request
(a recently verified bearer token, an existing account that the caller may see, valid parameters) is handled here. All
other requests, and every problem, go to the route in `entitlement.py`, which returns the same answers.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.types import ASGIApp, Receive, Scope, Send

from botmeter.contracts.fields import ID_CHARACTERS_MAX
from botmeter.web.access.guard import Guard
from botmeter.web.access.roles import Access
from botmeter.web.api.entitlement import answer_json
from botmeter.web.api.responses import JSON
from botmeter.web.api.wire import plain_json
from botmeter.web.entitlement.answer import Question
from botmeter.web.entitlement.service import NotReady
from botmeter.web.headers import Headers
from botmeter.web.problems import API_PREFIX, ProblemError
from botmeter.web.services import Services

_PATH_PREFIX: Final = f"{API_PREFIX}/accounts/"
_PATH_SUFFIX: Final = "/entitlement"
_BEARER: Final = b"Bearer "
_FLAGS: Final = {"true": True, "false": False}
_TYPE: Final = (b"content-type", JSON.encode())


class FastLane:
    """Responds to simple entitlement requests and passes all others to the application."""

    def __init__(self, app: ASGIApp, state: Any, headers: Headers) -> None:
        """`state` is the application's, with its guard and services. `headers` go into every response given here."""
        self._app, self._state, self._headers = app, state, (_TYPE, *headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request."""
        body = self._body(scope) if scope["type"] == "http" and scope["path"].endswith(_PATH_SUFFIX) else None
        if body is None:
            await self._app(scope, receive, send)
            return
        headers = [*self._headers, (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _body(self, scope: Scope) -> bytes | None:
        """Returns the response's body; None when the request is not a simple one."""
        path: str = scope["path"]
        services: Services | None = getattr(self._state, "services", None)
        if scope["method"] != "GET" or services is None or not path.startswith(_PATH_PREFIX):
            return None
        guard: Guard = self._state.guard
        access = _cached_access(scope, guard)
        account_id = path[len(_PATH_PREFIX) : -len(_PATH_SUFFIX)]
        question = _question(account_id, scope["query_string"])
        if access is None or question is None or not access.may_see(account_id):
            return None
        try:
            answer, as_of = services.entitlement.answer(question)
            if answer is None:
                return None
            guard.fast.take(access.key)
        except (NotReady, ProblemError):
            return None
        return plain_json(answer_json(question, answer, as_of))


def _cached_access(scope: Scope, guard: Guard) -> Access | None:
    for name, value in scope["headers"]:
        if name == b"authorization":
            return guard.cached_access(value[len(_BEARER) :]) if value.startswith(_BEARER) else None
    return None


def _question(account_id: str, query: bytes) -> Question | None:
    """Returns the question; None unless each parameter is known, valid and given at most once."""
    try:
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, errors="strict") if query else []
    except ValueError:
        return None
    parameters = dict(pairs)
    if len(parameters) != len(pairs) or not parameters.keys() <= {"end_user_id", "preview"}:
        return None
    end_user_id, preview = parameters.get("end_user_id"), _FLAGS.get(parameters.get("preview", "false"))
    if preview is None or (end_user_id is not None and not 0 < len(end_user_id) <= ID_CHARACTERS_MAX):
        return None
    return Question(account_id, end_user_id, preview)
