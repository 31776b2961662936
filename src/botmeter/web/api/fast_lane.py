"""The fast lane: the entitlement questions of a routing service, answered before the framework sees them.

FastAPI takes a third of a millisecond for any route, several times what the answer itself takes. So the plain question
(a bearer token proved a moment ago, an account that is the caller's and known, parameters in order) is answered here;
everything else, and every problem, is left to the route in `entitlement.py`, which answers the same.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.types import ASGIApp, Receive, Scope, Send

from botmeter.contracts.fields import ID_CHARACTERS_MAX
from botmeter.web.access.guard import Guard
from botmeter.web.access.roles import Access
from botmeter.web.api.answers import JSON
from botmeter.web.api.entitlement import told
from botmeter.web.api.wire import plain_json
from botmeter.web.entitlement.answer import Question
from botmeter.web.entitlement.service import NotReady
from botmeter.web.headers import Headers
from botmeter.web.problems import API_PREFIX, ProblemError
from botmeter.web.services import Services

_BEFORE: Final = f"{API_PREFIX}/accounts/"
_AFTER: Final = "/entitlement"
_BEARER: Final = b"Bearer "
_FLAGS: Final = {"true": True, "false": False}
_TYPE: Final = (b"content-type", JSON.encode())


class FastLane:
    """Answers what it can, and hands everything else on."""

    def __init__(self, app: ASGIApp, state: Any, headers: Headers) -> None:
        """`state`: the application's, where its guard and its services are. `headers`: of every answer given here."""
        self._app, self._state, self._headers = app, state, (_TYPE, *headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        body = self._body(scope) if scope["type"] == "http" and scope["path"].endswith(_AFTER) else None
        if body is None:
            await self._app(scope, receive, send)
            return
        headers = [*self._headers, (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _body(self, scope: Scope) -> bytes | None:
        """The answer; None when the question is not a plain one."""
        path: str = scope["path"]
        services: Services | None = getattr(self._state, "services", None)
        if scope["method"] != "GET" or services is None or not path.startswith(_BEFORE):
            return None
        guard: Guard = self._state.guard
        access = _known_access(scope, guard)
        account_id = path[len(_BEFORE) : -len(_AFTER)]
        question = _question(account_id, scope["query_string"])
        if access is None or question is None or not access.may_see(account_id):
            return None
        try:
            found, as_of = services.entitlement.answer(question)
            if found is None:
                return None
            guard.fast.take(access.key)
        except (NotReady, ProblemError):
            return None
        return plain_json(told(question, found, as_of))


def _known_access(scope: Scope, guard: Guard) -> Access | None:
    for name, value in scope["headers"]:
        if name == b"authorization":
            return guard.known_bearer(value[len(_BEARER) :]) if value.startswith(_BEARER) else None
    return None


def _question(account_id: str, query: bytes) -> Question | None:
    """The question, where each parameter is there once and as it should be."""
    try:
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, errors="strict") if query else []
    except ValueError:
        return None
    asked = dict(pairs)
    if len(asked) != len(pairs) or not asked.keys() <= {"end_user_id", "preview"}:
        return None
    end_user_id, preview = asked.get("end_user_id"), _FLAGS.get(asked.get("preview", "false"))
    if preview is None or (end_user_id is not None and not 0 < len(end_user_id) <= ID_CHARACTERS_MAX):
        return None
    return Question(account_id, end_user_id, preview)
