"""The port by which a message reaches a person: an SMS to a number, or an e-mail.

Decides whether one can be sent, and writes it where the setting says. Real senders are added here
by `use`; until then there is one for development, which writes into a file of the instance folder.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, Protocol

from core.base import config
from core.base.refusal import Refusal

Kind = Literal["phone", "email"]
FILE = "messages.log"


class NotSent(Refusal):
    """A message could not be handed on. Nothing is known to have reached anybody."""

    sentence = "The message could not be sent. Wait a minute, then ask for it again."


class Sender(Protocol):
    """Hands a message on. Raises `NotSent`."""

    def send(self, kind: Kind, to: str, text: str) -> None: ...


class Console:
    """For development: a line a message, in a file that its owner alone may read."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE

    def send(self, kind: Kind, to: str, text: str) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        try:
            folder = self._file.parent
            folder.mkdir(parents=True, exist_ok=True)
            number = os.open(self._file, flags, 0o600)
            with os.fdopen(number, "a", encoding="utf-8") as file:
                file.write(f"{kind} {to}: {text}\n")
        except OSError as error:
            raise NotSent from error


_own: Sender | None = None


def use(sender: Sender | None) -> None:
    """Send by this one from now on, whatever the setting says; None: by the setting again."""
    global _own
    _own = sender


def can_send() -> bool:
    """Whether anybody can be sent anything here."""
    return _sender() is not None


def send(kind: Kind, to: str, text: str) -> None:
    """Hand a message on, with no use case open. Raises `NotSent`."""
    sender = _sender()
    if sender is None:
        raise NotSent("Messages cannot be sent here yet. Ask the owner of Makola.")
    sender.send(kind, to, text)


def _sender() -> Sender | None:
    if _own is not None:
        return _own
    settings = config.current()
    if settings.messages == "console":
        return Console(Path(settings.instance_dir))
    return None
