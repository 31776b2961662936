"""Security headers that every response carries."""

from __future__ import annotations

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

Headers = tuple[tuple[bytes, bytes], ...]

#: Every resource comes from this server; inline code, `eval` and framing are forbidden.
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; manifest-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_ALWAYS: Final[Headers] = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=()"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_OVER_TLS: Final = (b"strict-transport-security", b"max-age=31536000")
_PRIVATE: Final = (b"cache-control", b"private, no-cache")


def security_headers(over_tls: bool) -> Headers:  # noqa: FBT001 - a fact about the installation
    """Returns the headers of every response."""
    return (*_ALWAYS, _OVER_TLS) if over_tls else _ALWAYS


def private_response_headers(over_tls: bool) -> Headers:  # noqa: FBT001 - a fact about the installation
    """Returns the headers of a response that sets no `Cache-Control` itself."""
    return (*security_headers(over_tls), _PRIVATE)


class SecurityHeaders:
    """Adds the headers to every response, and `_PRIVATE` unless the application sets `Cache-Control` itself."""

    def __init__(self, app: ASGIApp, over_tls: bool) -> None:  # noqa: FBT001 - a fact about the installation
        self._app = app
        self._headers = security_headers(over_tls)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ()), *self._headers]
                if not any(name == b"cache-control" for name, _ in headers):
                    headers.append(_PRIVATE)
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, send_with_headers)
