"""How commands print a reset link, and for whom they must."""

from __future__ import annotations

import click

from core.accounts import resets, unproven
from core.accounts.people import COMMAND_LINE
from core.accounts.users import User
from core.base import config


def echo_link(user_id: int) -> None:
    """Make a link and print it."""
    made = resets.make(user_id, COMMAND_LINE)
    hours = config.current().reset_link_s / 3_600
    click.echo(
        f"One-time link for {made.user.email}, works once within {hours:g} h; an earlier one works"
        " no more:"
    )
    click.echo(made.url)


def echo_unproven(user: User) -> bool:
    """After a role was given: say that a stranger may have signed up as this person, and print the
    link by which the true one gets in. Says whether it was so."""
    if not unproven.is_unproven(user):
        return False
    click.echo(
        f"{user.email} signed up, log-in not confirmed: the password opens nothing any more. Give"
        " the link to the person you mean, by a way you trust."
    )
    echo_link(user.id)
    return True
