"""A real mail server with faults of its own: it can refuse, answer late, and hang up at any moment."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from random import Random
from typing import Any, Final, Self, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from botmeter.embedded.ports import free_ports

#: What may happen to a mail. `lost` and `kept` tell whether the server, hanging up without a word, had taken it.
FAULTS: Final = (
    "rcpt 451",
    "hang up at rcpt",
    "data 451",
    "hang up in the mail",
    "answer 451",
    "kept, hangs up",
    "lost, hangs up",
    "late",
)
#: Faults after which nobody but the server may know; what was written to a dead connection may still seem to go out.
UNANSWERED: Final = ("hang up in the mail", "kept, hangs up", "lost, hangs up")
LATE_S: Final = (0.1, 0.3)
PATIENCE_S: Final = 120.0

#: Which fault the next attempt at the mail to this address meets, None when none.
Choose = Callable[[str], str | None]


@dataclass(frozen=True)
class Taken:
    """A mail in the mailbox."""

    recipient: str
    content: bytes

    @property
    def message(self) -> EmailMessage:
        return message_from_bytes(self.content, policy=default)

    @property
    def id(self) -> str:
        return str(self.message["Message-ID"])


class _Protocol(SMTP):
    """Hangs up in the middle of a mail, which a handler cannot."""

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 - named by the library
        handler = cast("MailServer", self.event_handler)
        if handler.fault_of(self.session) == "data 451":
            handler.count("data 451")
            await self.push("451 come back later")
            self._set_rset_state()  # type: ignore[no-untyped-call]
            return
        if handler.fault_of(self.session) == "hang up in the mail":
            await self.push("354 go on")
            handler.count("hang up in the mail")
            cast("asyncio.Transport", self.transport).abort()
            return
        await super().smtp_DATA(arg)


class _Controller(Controller):
    def factory(self) -> SMTP:
        return _Protocol(self.handler, **self.SMTP_kwargs)


class MailServer:
    """Runs while it is entered; what it took is in `mails`."""

    def __init__(self, choose: Choose = lambda _: None, port: int | None = None, **options: Any) -> None:
        self._choose = choose
        self._dice = Random(0)
        self._arrived = threading.Condition()
        self.mails: list[Taken] = []
        #: Faults as they happened, by name.
        self.faults: Counter[str] = Counter()
        #: Called in the server's thread when it has read RCPT, or the final dot, before it answers.
        self.at_rcpt: Callable[[], None] = lambda: None
        self.at_dot: Callable[[], None] = lambda: None
        self.port = port or free_ports(1)[0]
        self._controller = _Controller(self, hostname="127.0.0.1", port=self.port, decode_data=False, **options)

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._controller.stop()

    def waits_for(self, number: int, within_s: float = PATIENCE_S) -> list[Taken]:
        """The mails, once there are so many."""
        with self._arrived:
            self._arrived.wait_for(lambda: len(self.mails) >= number, within_s)
            assert len(self.mails) >= number, f"{len(self.mails)} of {number} mails arrived; faults: {self.faults}"
            return list(self.mails)

    def count(self, fault: str) -> None:
        self.faults[fault] += 1

    def fault_of(self, session: Session | None) -> str | None:
        return cast("str | None", getattr(session, "fault", None))

    # --- What the library calls ---

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        del options
        self.at_rcpt()
        session.fault = self._choose(address)  # type: ignore[attr-defined] # a place to keep it
        fault = self.fault_of(session)
        if fault == "rcpt 451":
            self.count(fault)
            return "451 come back later"
        if fault == "rcpt 550":
            self.count(fault)
            return "550 no such user"
        if fault == "hang up at rcpt":
            self.count(fault)
            cast("asyncio.Transport", server.transport).abort()
            return "421 good-bye"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.at_dot()
        fault = self.fault_of(session)
        if fault:
            self.count(fault)
        match fault:
            case "answer 451":
                return "451 come back later"
            case "answer 554":
                return "554 this looks like spam"
            case "lost, hangs up":
                cast("asyncio.Transport", server.transport).abort()
                return "421 good-bye"
            case "late":
                await asyncio.sleep(self._dice.uniform(*LATE_S))
        self._keep(envelope)
        if fault == "kept, hangs up":
            cast("asyncio.Transport", server.transport).abort()
        return "250 OK, queued"

    def _keep(self, envelope: Envelope) -> None:
        content = envelope.content
        assert isinstance(content, bytes)
        with self._arrived:
            self.mails.extend(Taken(recipient, content) for recipient in envelope.rcpt_tos)
            self._arrived.notify_all()


def first_attempts(*faults: str | None) -> Choose:
    """The first attempts of all, in order, meet these faults; later ones none."""
    left = list(faults)
    return lambda _: left.pop(0) if left else None
