"""Server-side sessions: who is logged in at which door, and for how long."""

from __future__ import annotations

import secrets
from datetime import datetime
from functools import cache
from typing import Literal

from sqlalchemy import Text, bindparam, delete, func, select, update

from core import stores
from core.accounts import devices, guessing
from core.accounts.new_devices import NewDevice
from core.accounts.sessions import LoginSession, hash_of, within
from core.accounts.users import Membership, User
from core.base import browsers, clock, config, round_trip
from core.base.asks import Ask
from core.base.db import db, rows_changed, transaction
from core.base.preconditions import inside_use_case
from core.base.tenancy import as_platform
from core.stores import Store

Door = Literal["portal", "console"]
_SEEN_EVERY_S = 60


class Login:
    """A person inside a door: what Flask-Login keeps as `current_user`."""

    is_authenticated = True
    is_active = True
    is_anonymous = False

    def __init__(
        self,
        token: str,
        user: User,
        door: Door,
        store_id: int | None,
        role: str | None,
        stores: int = 0,
        store: Store | None = None,
    ) -> None:
        self.token = token
        self.token_hash = hash_of(token)
        self.user = user
        self.door = door
        self.store_id = store_id
        self.role = role
        self.stores = stores
        """In how many stores the person works."""
        self.store = store if store_id is not None else None
        """That of `store_id`, as it was read with the log-in: to be read, not changed."""
        self.confirmed_at: datetime | None = None
        """When the person last showed that it is them."""
        self.own_device = False
        self.new_devices = 0
        """Log-ins from devices that were new, which the person has not said yet that they saw."""

    @property
    def is_fresh(self) -> bool:
        """Whether the person showed a short while ago that it is them."""
        if self.confirmed_at is None:
            return False
        since_s = (clock.now() - self.confirmed_at).total_seconds()
        return 0 <= since_s < config.current().fresh_s

    def get_id(self) -> str:
        return self.token


@as_platform
def start_login(
    user: User,
    door: Door,
    store_id: int | None = None,
    *,
    user_agent: str = "",
    own_device: bool = False,
    seen_from: str = "",
) -> str:
    """Begin a session, under the number `user` was read with. A new token each time, so none can be
    planted.

    `own_device` when nobody else uses this browser: the session then idles and lives longer.
    """
    token = secrets.token_urlsafe(32)
    row = LoginSession(
        token_hash=hash_of(token),
        user_id=user.id,
        door=door,
        store_id=store_id,
    )
    row.device = browsers.words(user_agent)
    row.access_no = user.access_no
    row.own_device = own_device
    row.seen_from = seen_from
    row.confirmed_at = clock.now()
    with transaction() as session:
        session.add(row)
    return token


@as_platform
def login_of(
    token: str,
    door: Door,
    *,
    renews: bool = True,
    device: str = "",
    seen_from: str = "",
) -> Login | None:
    """The log-in a token stands for at this door, or None when it ended, idled out or belongs to
    another door. `renews`: its person did something, so it idles from now on. `device`: the token
    of this browser as a known one."""
    ask = _asked().given(
        token_hash=hash_of(token), door=door, device_hash=devices.hash_of(device)
    )
    rows = round_trip.read_of_platform([ask])[0]
    if not rows:
        return None
    row = rows[0]
    login = round_trip.made(LoginSession, row, _OF_SESSION, _SESSION)
    user = round_trip.made(User, row, _OF_USER)
    role, how_many = row.role, row.stores
    now = clock.now()
    is_ended = user.removed_at is not None or login.access_no != user.access_no
    if is_ended or login.is_over(now):
        return None
    if (door == "console" and user.platform_role == "none") or (
        login.store_id is not None and role is None
    ):
        return None
    store = round_trip.made(Store, row, stores.columns(), _STORE)
    found = Login(token, user, door, login.store_id, role, how_many, store)
    found.confirmed_at, found.own_device = login.confirmed_at, login.own_device
    found.new_devices = row.new_devices
    if renews and (now - login.seen_at).total_seconds() > _SEEN_EVERY_S:
        with transaction() as session:
            # A statement, not a row: another tab may be logging out right now.
            session.execute(
                update(LoginSession)
                .where(LoginSession.token_hash == login.token_hash)
                .values(seen_at=now, seen_from=seen_from or login.seen_from)
            )
    return found


_SESSION, _STORE = "session_", "store_"
_OF_SESSION = tuple(one.key for one in LoginSession.__table__.c)
_OF_USER = tuple(one.key for one in User.__mapper__.column_attrs if not one.deferred)


@cache
def _asked() -> Ask:
    """The session of a token at a door, whose it is, its store and their role there, in how many
    they work, and how many new devices they are told of."""
    theirs = (
        select(func.count())
        .select_from(Membership)
        .where(Membership.user_id == User.id)
        .correlate(User)
        .scalar_subquery()
    )
    new = (
        select(func.count())
        .select_from(NewDevice)
        .where(
            NewDevice.user_id == User.id,
            NewDevice.device_hash != bindparam("device_hash", type_=Text),
        )
        .correlate(User)
        .scalar_subquery()
    )
    asked = (
        select(
            *round_trip.labelled(LoginSession, _OF_SESSION, _SESSION),
            *(User.__table__.c[name] for name in _OF_USER),
            *round_trip.labelled(Store, stores.columns(), _STORE),
            Membership.role.label("role"),
            theirs.label("stores"),
            new.label("new_devices"),
        )
        .select_from(LoginSession)
        .join(User, User.id == LoginSession.user_id)
        .outerjoin(Store, Store.id == LoginSession.store_id)
        .outerjoin(
            Membership,
            (Membership.user_id == LoginSession.user_id)
            & (Membership.store_id == LoginSession.store_id),
        )
        .where(
            LoginSession.token_hash == bindparam("token_hash", type_=Text),
            LoginSession.door == bindparam("door", type_=Text),
        )
    )
    return round_trip.ask(asked)


@as_platform
def switch_store(token: str, store_id: int) -> None:
    """Make a portal session work in another store. `login_of` refuses it where the person is no
    member."""
    with transaction() as session:
        session.execute(
            update(LoginSession)
            .where(LoginSession.token_hash == hash_of(token))
            .values(store_id=store_id)
        )


@as_platform
def confirm(token: str) -> None:
    """Its person has just shown that it is them."""
    with transaction() as session:
        session.execute(
            update(LoginSession)
            .where(LoginSession.token_hash == hash_of(token))
            .values(confirmed_at=clock.now())
        )


@as_platform
def end_login(token: str) -> None:
    """Log out on this device. Harmless when already ended."""
    end_session(hash_of(token))


@as_platform
def end_session(token_hash: str) -> None:
    """The same for a session of `logins_of`."""
    with transaction() as session:
        session.execute(
            delete(LoginSession).where(LoginSession.token_hash == token_hash)
        )


@as_platform
def prune() -> int:
    """Delete sessions that ended by themselves. Returns how many."""
    with transaction():
        return rows_changed(delete(LoginSession).where(~within("created_at", 1)))


@as_platform
def logins_of(user_id: int) -> list[LoginSession]:
    """Where a person is logged in now, at both doors, the last used first."""
    rows = db.session.scalars(
        select(LoginSession)
        .join(
            User,
            (User.id == LoginSession.user_id)
            & (User.access_no == LoginSession.access_no),
        )
        .where(LoginSession.user_id == user_id)
        .where(within("seen_at", 0), within("created_at", 1))
        .order_by(LoginSession.seen_at.desc())
        .limit(config.current().page_size)
    )
    return list(rows)


@inside_use_case
def end_logins_of(user: User, keep: str | None = None) -> str | None:
    """End what the person was given before (sessions, devices, reset links).

    By number and not only by deleting, because a log-in under way may write its session after this.
    `keep` is the token of a session that goes on: it continues, no longer than before, under the
    new token that is returned.
    """
    raised = (
        update(User)
        .where(User.id == user.id)
        .values(access_no=User.access_no + 1)
        .returning(User.access_no)
    )
    number = db.session.execute(raised).scalar_one()
    token = secrets.token_urlsafe(32)
    mine = LoginSession.user_id == user.id
    going_on = (
        mine,
        LoginSession.token_hash == hash_of(keep or ""),
        LoginSession.access_no == number - 1,
    )
    renewed = (
        update(LoginSession)
        .where(*going_on)
        .values(token_hash=hash_of(token), access_no=number)
    )
    is_kept = rows_changed(renewed) == 1
    db.session.execute(
        delete(LoginSession).where(mine, LoginSession.access_no != number)
    )
    guessing.forget_devices(user.id)
    return token if is_kept else None
