"""The log-in, the same at both doors: who typed the right password, how their session begins and
how it ends.

Decides the order of the steps and what a refusal is as an answer. Whether a password is right and
how often one may be tried is decided in `core.accounts`; what the page says, and where it leads, in
the rooms. They ask `g.entrance`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from flask import Flask, g, request, session
from flask_login import current_user, login_user, logout_user

from core.accounts import devices, guessing, logging_in, logins, users
from core.base import addresses, hashing
from edge import bind, hosts


@dataclass(frozen=True)
class Asked:
    """What became of an e-mail and a password: a person, or a sentence and how it is answered."""

    person: users.User | None
    sentence: str = ""
    status: int = 422
    headers: dict[str, str] = field(default_factory=dict)


def install(app: Flask) -> None:
    app.before_request(stand)


def stand() -> None:
    door = bind.DOOR_OF_ROOM.get(hosts.place().room)
    g.entrance = None if door is None else Entrance(door)


class Entrance:
    """The door that this request stands at."""

    def __init__(self, door: logins.Door) -> None:
        self.door = door

    def ask(self, email: str, password: str, no_match: str) -> Asked:
        """Whose password this is. `no_match` is what a wrong one is told, whatever is wrong."""
        try:
            person = logging_in.authenticate(email, password, self._place())
        except guessing.TooManyTries as refusal:
            return _waits(429, refusal.sentence, refusal.wait_s)
        except hashing.Busy as busy:
            return _waits(503, busy.sentence, busy.wait_s)
        return Asked(person, "" if person else no_match)

    def enter(
        self,
        person: users.User,
        store_id: int | None = None,
        *,
        own_device: bool = False,
    ) -> None:
        """Begin a session. Nothing of the visitor before survives but a form that is this
        person's."""
        waiting = g.kept.of_person(person.id)
        self.leave()
        token = logins.start_login(
            person,
            self.door,
            store_id,
            user_agent=request.user_agent.string,
            own_device=own_device,
        )
        login_user(logins.login_of(token, self.door))
        session.permanent = own_device
        g.kept.put_back(waiting)
        self.know_device(person)

    def know_device(self, person: users.User) -> None:
        """Know this browser from now on as one where the person has logged in."""
        g.new_device_token = logging_in.remember(person, self._place())

    def leave(self) -> None:
        """End the log-in of this browser, if it has one, on the server and here."""
        if current_user.is_authenticated:
            logins.end_login(current_user.token)
        logout_user()
        session.clear()

    def _place(self) -> devices.Place:
        address = addresses.key(request.remote_addr)
        return devices.Place(address, self.door, g.device_token)


def _waits(status: int, sentence: str, wait_s: int) -> Asked:
    return Asked(None, sentence, status, {"Retry-After": str(wait_s)})
