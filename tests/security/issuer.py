"""The token endpoint of an identity provider: whoever names a client and its secret gets a token for it."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

AUDIENCE: Final = "kafka"
_LASTS_S: Final = 3600


@contextmanager
def issuer(key_set: Path, secret: str) -> Iterator[str]:
    """The address of the endpoint; `key_set` is written, with which brokers check its tokens."""
    key = rsa.generate_private_key(65537, 2048)
    public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
    key_set.write_text(json.dumps({"keys": [public | {"kid": "k", "alg": "RS256", "use": "sig"}]}))

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            del format, args

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            basic = base64.b64decode(self.headers["Authorization"].removeprefix("Basic ")).decode()
            client, _, given = basic.partition(":")
            now = int(time.time())
            claims = {"sub": unquote(client), "aud": AUDIENCE, "iat": now, "exp": now + _LASTS_S}
            token = jwt.encode(claims, key, "RS256", headers={"kid": "k"})
            answer = {"access_token": token, "token_type": "Bearer", "expires_in": _LASTS_S}
            is_known = unquote(given) == secret
            self.send_response(200 if is_known else 401)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(answer if is_known else {"error": "invalid_client"}).encode())

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, daemon=True)
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/token"
        finally:
            server.shutdown()
            serving.join()
