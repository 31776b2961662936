"""A broker with a listener of every kind, which asks for permissions, and those who come in."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import AclBinding, AclBindingFilter, AclOperation, AclPermissionType
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType
from confluent_kafka.admin._scram import (
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialAlteration,
    UserScramCredentialUpsertion,
)

from botmeter.client_options import kafka_variable
from botmeter.embedded import EmbeddedKafka
from botmeter.kafka import clients
from botmeter.operations.permissions import PROGRAMS, Permission

from .certificates import Authority
from .issuer import AUDIENCE, issuer

#: Of everybody; no output may have it.
SECRET: Final = "botmeter-secret-4711"  # noqa: S105 - of a broker that lives as long as the tests
#: How somebody may come in.
WAYS: Final = ("plain", "scram-sha-256", "scram-sha-512", "oauthbearer", "tls", "mtls")
#: Where passwords and tokens may go over the net in the clear: this machine's own.
_LISTENERS: Final = {"PLAIN": "SASL_PLAINTEXT", "SCRAM": "SASL_SSL", "OAUTH": "SASL_SSL", "TLS": "SSL", "MTLS": "SSL"}
_RESOURCES: Final = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    "transactional id": ResourceType.TRANSACTIONAL_ID,
    "cluster": ResourceType.BROKER,
}
_PATTERNS: Final = {"literal": ResourcePatternType.LITERAL, "prefixed": ResourcePatternType.PREFIXED}
_KINDS: Final = {"Topic": "topic", "Group": "group", "TransactionalId": "transactional id", "Cluster": "cluster"}
_DECISION: Final = r"Principal = User:{} is (\w+) operation = (\w+) from host = \S+ on resource = (\w+):LITERAL:(\S+)"
_JAAS: Final = "org.apache.kafka.common.security"
_ANSWER_S: Final = 30.0


def user_of(program: str) -> str:
    return program.replace(" ", "-")


USERS: Final = tuple(map(user_of, PROGRAMS))


class SecuredKafka:
    """The broker. Whoever comes by its listener without security, or by `tls`, may do anything."""

    def __init__(self, broker: EmbeddedKafka, authority: Authority, token_endpoint: str) -> None:
        self.broker, self._authority, self._token_endpoint = broker, authority, token_endpoint
        self.bootstrap_servers = broker.bootstrap_servers
        self._keys: dict[str, tuple[Path, Path]] = {}
        with self.admin() as admin:
            for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):
                how = ScramCredentialInfo(mechanism, 4096)
                upsertions: list[UserScramCredentialAlteration] = [
                    UserScramCredentialUpsertion(user, how, SECRET.encode()) for user in USERS
                ]
                for made in admin.alter_user_scram_credentials(upsertions).values():
                    made.result(_ANSWER_S)

    def admin(self) -> AdminClient:
        """Of somebody who may do anything."""
        return clients.make_admin(clients.admin_config({}, self.bootstrap_servers))

    # --- Coming in ---

    def servers(self, way: str) -> str:
        listener = "SCRAM" if way.startswith("scram") else {"oauthbearer": "OAUTH"}.get(way, way.upper())
        return self.broker.servers_of(listener)

    def options(self, way: str, user: str, secret: str = SECRET) -> dict[str, str]:
        """Of librdkafka, for this user."""
        trusting = {"ssl.ca.location": str(self._authority.file)}
        if way == "tls":
            return {"security.protocol": "SSL", **trusting}
        if way == "mtls":
            key, certificate = self._key_of(user)
            return {
                "security.protocol": "SSL",
                "ssl.certificate.location": str(certificate),
                "ssl.key.location": str(key),
                "ssl.key.password": secret,
                **trusting,
            }
        if way == "oauthbearer":
            return {
                "security.protocol": "SASL_SSL",
                "sasl.mechanism": "OAUTHBEARER",
                "sasl.oauthbearer.method": "oidc",
                "sasl.oauthbearer.client.id": user,
                "sasl.oauthbearer.client.secret": secret,
                "sasl.oauthbearer.token.endpoint.url": self._token_endpoint,
                **trusting,
            }
        login = {"sasl.mechanism": way.upper(), "sasl.username": user, "sasl.password": secret}
        if way == "plain":
            return {"security.protocol": "SASL_PLAINTEXT", **login}
        return {"security.protocol": "SASL_SSL", **login, **trusting}

    def environment(self, way: str, user: str, secret: str = SECRET) -> dict[str, str]:
        """What a program is told, to come in so."""
        options = {kafka_variable(option): value for option, value in self.options(way, user, secret).items()}
        return {"BOTMETER_BOOTSTRAP_SERVERS": self.servers(way), **options}

    def _key_of(self, user: str) -> tuple[Path, Path]:
        if user not in self._keys:
            self._keys[user] = self._authority.sign(user, SECRET)
        return self._keys[user]

    # --- Permissions ---

    def allow(self, user: str, permissions: Iterable[Permission]) -> None:
        bindings = [binding for permission in permissions for binding in _bindings(user, permission)]
        with self.admin() as admin:
            for made in admin.create_acls(bindings).values():
                made.result(_ANSWER_S)
            self._await(admin, bindings, are_there=True)

    def refuse(self, user: str, permissions: Iterable[Permission]) -> None:
        """Takes back what was allowed."""
        bindings = [binding for permission in permissions for binding in _bindings(user, permission)]
        with self.admin() as admin:
            for made in admin.delete_acls([_filter(binding) for binding in bindings]).values():
                made.result(_ANSWER_S)
            self._await(admin, bindings, are_there=False)

    @contextmanager
    def without(self, user: str, permission: Permission) -> Iterator[None]:
        self.refuse(user, [permission])
        yield
        self.allow(user, [permission])

    def asked(self, user: str) -> set[tuple[str, str, str, str]]:
        """What the broker was asked to let the user do: Allowed or Denied, operation, kind of resource and its name."""
        log = (self.broker.directory / "server.log").read_text("utf-8", "replace")
        lines = re.findall(_DECISION.format(user), log)
        return {(outcome, operation, _KINDS.get(kind, kind), name) for outcome, operation, kind, name in lines}

    def _await(self, admin: AdminClient, bindings: Iterable[AclBinding], *, are_there: bool) -> None:
        """The controller answers before the broker has learned of it."""
        deadline = time.monotonic() + _ANSWER_S
        for binding in bindings:
            while bool(admin.describe_acls(_filter(binding)).result(_ANSWER_S)) != are_there:
                assert time.monotonic() < deadline, f"{binding} did not come about"
                time.sleep(0.01)


@contextmanager
def secured_kafka(directory: Path) -> Iterator[SecuredKafka]:
    """Starts one; certificates and keys lie in the directory."""
    authority = Authority(directory)
    key_set = directory / "keys.json"
    with (
        issuer(key_set, SECRET) as token_endpoint,
        _java_options(
            f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={key_set.as_uri()} "
            "-Dorg.slf4j.simpleLogger.log.kafka.authorizer.logger=debug"
        ),
        EmbeddedKafka(properties=_properties(authority, directory, key_set), listeners=_LISTENERS) as broker,
    ):
        yield SecuredKafka(broker, authority, token_endpoint)


def _properties(authority: Authority, directory: Path, key_set: Path) -> Mapping[str, str]:
    key, certificate = authority.sign("broker")
    store = directory / "broker-store.pem"
    store.write_bytes(key.read_bytes() + certificate.read_bytes())
    plain = " ".join(f'user_{user}="{SECRET}"' for user in USERS)
    scram, oauth = "listener.name.scram", "listener.name.oauth"
    return {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(store),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority.file),
        "listener.name.plain.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.plain.plain.sasl.jaas.config": f"{_JAAS}.plain.PlainLoginModule required {plain};",
        f"{scram}.sasl.enabled.mechanisms": "SCRAM-SHA-256,SCRAM-SHA-512",
        f"{scram}.scram-sha-256.sasl.jaas.config": f"{_JAAS}.scram.ScramLoginModule required;",
        f"{scram}.scram-sha-512.sasl.jaas.config": f"{_JAAS}.scram.ScramLoginModule required;",
        f"{oauth}.sasl.enabled.mechanisms": "OAUTHBEARER",
        f"{oauth}.oauthbearer.sasl.jaas.config": f"{_JAAS}.oauthbearer.OAuthBearerLoginModule required;",
        f"{oauth}.oauthbearer.sasl.server.callback.handler.class": f"{_JAAS}.oauthbearer."
        "OAuthBearerValidatorCallbackHandler",
        f"{oauth}.sasl.oauthbearer.jwks.endpoint.url": key_set.as_uri(),
        f"{oauth}.sasl.oauthbearer.expected.audience": AUDIENCE,
        "listener.name.mtls.ssl.client.auth": "required",
        "listener.name.mtls.ssl.principal.mapping.rules": "RULE:^CN=([^,]+).*$/$1/",
    }


@contextmanager
def _java_options(options: str) -> Iterator[None]:
    """For Java runtimes that are started meanwhile: these are no properties of the broker."""
    before = os.environ.get("JDK_JAVA_OPTIONS")
    os.environ["JDK_JAVA_OPTIONS"] = options
    try:
        yield
    finally:
        del os.environ["JDK_JAVA_OPTIONS"]
        if before is not None:
            os.environ["JDK_JAVA_OPTIONS"] = before


def _bindings(user: str, permission: Permission) -> list[AclBinding]:
    kind, pattern = _RESOURCES[permission.resource], _PATTERNS[permission.pattern]
    return [
        AclBinding(
            kind, permission.name, pattern, f"User:{user}", "*", AclOperation[operation], AclPermissionType.ALLOW
        )
        for operation in permission.operations
    ]


def _filter(binding: AclBinding) -> AclBindingFilter:
    return AclBindingFilter(
        binding.restype,
        binding.name,
        binding.resource_pattern_type,
        binding.principal,
        binding.host,
        binding.operation,
        binding.permission_type,
    )
