"""Security events: log-ins, wrong ones, and what was refused to whom, in the log and in the audit.

Decides what is told of an event and how much of a flood is kept. Every event is a line of the log.
The audit, which is never pruned, keeps the first, the tenth, the hundredth … of the same event in a
minute, and only so many in all.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from core import audit
from core.audit import Actor
from core.base import clock
from core.base.db import in_transaction
from core.base.preconditions import inside_use_case

STRANGER = Actor("stranger", "Somebody")

EVENTS = {
    "logged_in": "logged in",
    "login_failed": "gave a wrong password",
    "login_slowed": "was told to wait before the next password",
    "login_refused": "was refused another password",
    "code_failed": "gave a wrong code of the second step of",
    "code_refused": "was refused another code of the second step of",
    "recovery_used": "used up a code from paper of",
    "login_busy": "found the log-in busy",
    "origin_refused": "sent a form from another site, which was refused",
    "forgery_refused": "sent a form that was too old or not ours, which was refused",
    "role_refused": "was refused: not in this role",
    "limit_refused": "was refused: too often",
}
"""Every event, and how the console says it."""
_ONLY_LOGGED = frozenset({"login_busy"})
_USUAL = frozenset({"logged_in"})

LINES_A_MINUTE = 30
"""Lines of the audit that one process writes in a minute about log-ins refused, about those let in,
and so on."""
_KEPT = 2_000
"""Events of the present minute that one process can tell apart; beyond, the one heard of longest
ago is forgotten."""

log = structlog.get_logger("security")


class Tally:
    """How often each event was heard in the present minute, in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._minute = 0
        self._times: OrderedDict[tuple[str, ...], int] = OrderedDict()
        self._lines: dict[str, int] = {}

    def count(self, event: str, *apart: str) -> tuple[int, bool]:
        """How often this was heard in this minute, and whether the audit keeps a line of it."""
        kind = event.partition("_")[0]
        what = (event, *apart)
        with self._lock:
            self._begin_minute()
            times = self._times.pop(what, 0) + 1
            self._times[what] = times
            if len(self._times) > _KEPT:
                self._times.popitem(last=False)
            lines = self._lines.get(kind, 0)
            kept = _is_power_of_ten(times) and lines < LINES_A_MINUTE
            self._lines[kind] = lines + kept
            return times, kept

    def _begin_minute(self) -> None:
        """Forget what was heard before the present minute."""
        minute = int(clock.now().timestamp()) // 60
        if minute == self._minute:
            return
        self._minute = minute
        self._lines = {}
        self._times.clear()


tally = Tally()


def note(
    event: str,
    address: str,
    actor: Actor = STRANGER,
    subject: str = "",
    apart: str = "",
    **detail: Any,
) -> None:
    """Write an event down. `address` is a client's key, `subject` whom or what it concerns, such as
    `user:3`.

    Events that differ in `apart`, which is kept nowhere, are counted apart. Works inside an open
    use case and outside. A database that does not answer costs the audit its line, the log has it.
    """
    times, kept = tally.count(event, address, str(actor.user_id), apart)
    told: dict[str, Any] = {"address": address}
    for name, value in detail.items():
        if value not in (None, ""):
            told[name] = value
    say = log.info if event in _USUAL else log.warning
    say(event, person=actor.user_id, subject=subject or None, times=times, **told)
    if not kept or event in _ONLY_LOGGED:
        return
    line = told if times == 1 else {**told, "times": times}
    if in_transaction():
        audit.write(actor, event, subject, line)
        return
    try:
        audit.write(actor, event, subject, line)
    except SQLAlchemyError as error:
        log.error(
            "a security event is not in the audit",
            of=event,
            problem=type(error).__name__,
        )


@inside_use_case
def acted(
    actor: Actor,
    act: str,
    subject: str,
    detail: dict[str, Any],
) -> None:
    """An act that changes who may enter: always a line of the log and one of the audit.

    The log has neither names nor e-mails of it.
    """
    log.info(
        act,
        person=actor.user_id,
        by=actor.kind,
        subject=subject,
    )
    audit.write(actor, act, subject, detail)


def masked(email: str) -> str:
    """`ama@example.test` -> `a…@example.test`, at most 60 characters, without anything that is no
    letter to read."""
    name, _, domain = email.partition("@")
    text = f"{name[:1]}…"
    if domain:
        text += f"@{domain}"
    letters = [letter for letter in text if letter.isprintable()]
    return "".join(letters)[:60]


def _is_power_of_ten(number: int) -> bool:
    return str(number).strip("0") == "1"
