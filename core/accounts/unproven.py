"""People who signed up by themselves with a log-in that nobody has confirmed.

Decides who they are, and that no role is given to a password that a stranger may have chosen.
"""

from __future__ import annotations

from sqlalchemy import select

from core.accounts import logins, second_steps, users
from core.accounts.confirmations import Confirmation
from core.accounts.users import User
from core.audit import AuditLine
from core.base.db import db
from core.base.preconditions import inside_use_case
from core.base.tenancy import as_platform


@as_platform
def is_unproven(user: User) -> bool:
    """Whether a person signed up by themselves and has not confirmed what they log in with: a
    stranger may have typed somebody else's address, and knows the password."""
    came = (
        select(AuditLine.action)
        .where(
            AuditLine.subject == f"user:{user.id}",
            AuditLine.action.in_(("sign_up", "add_user")),
        )
        .order_by(AuditLine.id.desc())
        .limit(1)
    )
    confirmed = select(Confirmation.user_id).where(
        Confirmation.user_id == user.id,
        Confirmation.address == user.email,
        Confirmation.confirmed_at.is_not(None),
    )
    session = db.session
    return session.scalar(came) == "sign_up" and session.scalar(confirmed) is None


@inside_use_case
def void(user: User) -> bool:
    """Void the password of who `is_unproven`, and end their log-ins: before any role is given. The
    row is locked. Says whether it was so."""
    if not is_unproven(user):
        return False
    users.void_password(user)
    # the stranger's phone would keep the true person out
    second_steps.forget(user.id)
    logins.end_logins_of(user)
    return True
