"""The log-in, the same at both doors: who typed the right password, and the code where one is asked
for, how their session begins and how it ends.

Decides the order of the steps and what a refusal is as an answer. Whether a password is right and
how often one may be tried is decided in `core.accounts`; what the page says, and where it leads, in
the rooms. They ask `g.entrance`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from flask import Flask, g, request, session
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_user, logout_user

from core.accounts import devices, guessing, logging_in, logins, second_steps, users
from core.base import addresses, browsers, clock, hashing
from edge import bind, hosts, step_up, tokens

CODE_PATH = "/login/code"
CODE_S = 300
"""A password that was right counts for so long until the code comes."""
USED_UP = "You used up one code from paper. See under Account how many are left."
_PENDING = "asked_code"


@dataclass(frozen=True)
class Asked:
    """What became of an e-mail and a password: a person, or a sentence and how it is answered."""

    person: users.User | None
    sentence: str = ""
    status: int = 422
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Pending:
    """A log-in whose password was right, and whose code is still to come."""

    person: users.User
    store_id: int | None
    own_device: bool
    target: str


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

    def begin(
        self,
        person: users.User,
        store_id: int | None,
        target: str,
        *,
        own_device: bool = False,
    ) -> str:
        """The password was right: begin a session, or ask for the code of who has a second step.
        Returns where to go now; `target` is where they want to."""
        if not second_steps.is_on(person.id):
            self.enter(person, store_id, own_device=own_device)
            return target
        waiting = g.kept.of_person(person.id)
        self.leave()
        g.kept.put_back(waiting)
        session[_PENDING] = {
            "who": person.id,
            "access": person.access_no,
            "store": store_id,
            "own": own_device,
            "next": target,
            "at": clock.now().timestamp(),
        }
        return CODE_PATH

    def pending(self) -> Pending | None:
        """Who gave the right password in this browser and was asked for a code, minutes ago."""
        found = session.get(_PENDING)
        if found is None:
            return None
        age_s = clock.now().timestamp() - found["at"]
        person = users.by_id(found["who"])
        if person is None or not 0 <= age_s < CODE_S:
            return None
        if person.access_no != found["access"]:
            return None
        return Pending(person, found["store"], found["own"], found["next"])

    def ask_code(self, person: users.User, typed: str) -> Asked:
        """Whether this is a code of the person's second step."""
        place = self._place()
        try:
            was_paper = second_steps.check(person.id, typed, place.address)
        except second_steps.CodeRefused as refusal:
            if refusal.wait_s:
                return _waits(429, refusal.sentence, refusal.wait_s)
            return Asked(None, refusal.sentence)
        return Asked(person, USED_UP if was_paper else "")

    def must_confirm(self) -> ResponseReturnValue | None:
        """Before what is dear: an answer that asks the person to show that it is them, or None. The
        list of what is stands in `edge.step_up`."""
        return step_up.missing()

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
            seen_from=self._place().address,
        )
        login_user(logins.login_of(token, self.door))
        session.permanent = own_device
        g.kept.put_back(waiting)
        self.know_device(person, device=browsers.words(request.user_agent.string))

    def work_in(self, store_id: int) -> None:
        """Go on in another store of the person's. Pages of the store before, in other tabs, fit no
        more: what was written there is for that store's customers."""
        logins.switch_store(current_user.token, store_id)
        tokens.renew()

    def know_device(self, person: users.User, *, device: str | None = None) -> None:
        """Know this browser from now on as one where the person has logged in. With `device`, the
        browser in words, they are told of one that is new."""
        g.new_device_token = logging_in.remember(person, self._place(), device=device)

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
