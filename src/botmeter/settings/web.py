"""Settings of `botmeter web`: its address, authentication and limits."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, Field, SecretStr, field_validator

from botmeter.settings import shapes

#: HMAC-SHA-256 requires a key of as many bytes as the digest has.
SECRET_CHARACTERS_MIN: Final = 32


class WebSettings(BaseModel):
    """The web server's part of `Settings`."""

    http_host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address that `botmeter web` listens on; 0.0.0.0 is every one.",
    )
    http_port: int = Field(default=8080, ge=0, le=65535, description="Port of page and API; 0 is any free one.")
    http_metrics_port: int = Field(
        default=-1,
        ge=-1,
        le=65535,
        description="Port of the metrics of `botmeter web`, open without authentication; -1 is none, 0 any free one.",
    )
    http_public_url: str = Field(
        default="",
        pattern=shapes.URL_OR_NOTHING,
        description="Address of the page for browsers, such as https://billing.example. Forms are accepted only from "
        "this origin, and with https cookies are sent only over TLS. Empty: the address it listens on.",
    )
    http_rate_per_s: int = Field(
        default=50,
        ge=1,
        description="Requests a second that one token or login may make, with bursts of twice as many; further "
        "requests are answered 429.",
    )
    http_fast_rate_per_s: int = Field(
        default=5_000,
        ge=1,
        description="The same for the requests of a routing service: entitlements and interactions.",
    )
    http_command_wait_ms: int = Field(
        default=5_000,
        ge=0,
        le=60_000,
        description="How long a request waits for the result of its command, in milliseconds; then it is answered 202.",
    )
    http_after_wait_ms: int = Field(
        default=2_000,
        ge=0,
        le=60_000,
        description="How long an entitlement waits until the interaction named by `after` is decided, in milliseconds; "
        "then it is answered 504.",
    )
    auth_secret: SecretStr = Field(
        default=SecretStr(""),
        description="Key that signs the page's cookies and login links, and the API's bearer tokens (HS256) unless "
        "BOTMETER_AUTH_JWKS is set; at least 32 characters. `botmeter web` does not start without it.",
    )
    auth_jwks: str = Field(
        default="",
        description="Address (https) or file of the JSON Web Key Set whose keys sign the API's bearer tokens.",
    )
    auth_issuer: str = Field(default="", description="Required `iss` of a bearer token; empty: any.")
    auth_audience: str = Field(
        default="botmeter", min_length=1, description="Value that `aud` of a bearer token must contain."
    )
    auth_role_claim: str = Field(
        default="role", min_length=1, description="Claim with the role: viewer, billing_admin or operator."
    )
    auth_accounts_claim: str = Field(
        default="accounts",
        min_length=1,
        description="Claim with the list of accounts of a viewer or billing_admin.",
    )
    auth_login_s: int = Field(
        default=28_800, ge=60, le=2_592_000, description="How long a login to the page lasts, in seconds."
    )
    oidc_issuer: str = Field(
        default="",
        pattern=shapes.URL_OR_NOTHING,
        description="OpenID provider of the page's login, such as https://login.example; empty: login links alone.",
    )
    oidc_client_id: str = Field(default="", description="Client id of the page at the OpenID provider.")
    oidc_client_secret: SecretStr = Field(
        default=SecretStr(""), description="Client secret of the page at the OpenID provider; empty: only PKCE."
    )

    @field_validator("auth_secret")
    @classmethod
    def _strong_secret(cls, secret: SecretStr) -> SecretStr:
        if 0 < len(secret.get_secret_value()) < SECRET_CHARACTERS_MIN:
            raise ValueError(f"should have at least {SECRET_CHARACTERS_MIN} characters")
        return secret
