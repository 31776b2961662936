"""A tiny OpenID provider on a port of its own: whoever comes is logged in as the person it was started with.

`python issuer_process.py CLIENT_ID CLIENT_SECRET CLAIMS_JSON` prints its address, then serves until killed. The claims
stand in every id token, also in place of what would be right.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT_ID, CLIENT_SECRET, CLAIMS = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
KEY = rsa.generate_private_key(65537, 2048)
#: By code: what was asked for.
GRANTS: dict[str, dict[str, str]] = {}


class Handler(BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        del format, args

    @property
    def issuer(self) -> str:
        return f"http://{self.headers['Host']}"

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        if address.path == "/.well-known/openid-configuration":
            endpoints = {"authorization_endpoint": "/authorize", "token_endpoint": "/token", "jwks_uri": "/keys"}
            self._answer({"issuer": self.issuer, **{name: self.issuer + path for name, path in endpoints.items()}})
        elif address.path == "/keys":
            self._answer({"keys": [json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key())) | {"kid": "k"}]})
        elif address.path == "/authorize":
            code = f"code-{len(GRANTS)}"
            GRANTS[code] = query
            self.send_response(302)
            self.send_header(
                "Location", query["redirect_uri"] + "?" + urlencode({"code": code, "state": query["state"]})
            )
            self.end_headers()

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        asked = GRANTS.pop(form["code"][0], {})
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"][0].encode()).digest())
        basic = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        is_good = (
            asked.get("code_challenge") == challenge.rstrip(b"=").decode()
            and self.headers["Authorization"] == f"Basic {basic}"
            and form["redirect_uri"][0] == asked.get("redirect_uri")
            and asked.get("client_id") == CLIENT_ID
        )
        if not is_good:
            self._answer({"error": "invalid_grant"}, 400)
            return
        claims = {
            "iss": self.issuer, "aud": CLIENT_ID, "sub": "p-1", "iat": int(time.time()), "exp": int(time.time()) + 60,
            "nonce": asked["nonce"], **CLAIMS,
        }  # fmt: skip
        self._answer({"id_token": jwt.encode(claims, KEY, "RS256", {"kid": "k"}), "token_type": "Bearer"})

    def _answer(self, body: dict[str, Any], status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sys.stdout.write(f"http://127.0.0.1:{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()
