"""People and stores by command: `flask --app wsgi user …` and `store …`.

Whoever may run commands on the machine may do all of it, and every act leaves a line of *Command
line* in the audit. A password never comes from the command's words, which other people of the
machine can read.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

import click
from flask import Flask
from flask.cli import AppGroup

from core import onboarding, stores
from core.accounts import people, resets
from core.accounts.people import COMMAND_LINE
from core.base import config, passwords, phones, tenancy
from core.base.text_input import one_line
from core.stores import DEFAULT_COLOUR, Store

user_group = AppGroup(
    "user", help="Add and remove people, change their passwords and roles."
)
store_group = AppGroup(
    "store", help="Open and close stores, and say who works in them."
)
STORE_ROLES = click.Choice((*people.STORE_ROLES, "none"))


def register(app: Flask) -> None:
    """Add the commands to `flask --app wsgi`."""
    app.cli.add_command(user_group)
    app.cli.add_command(store_group)


def in_sentences(command: Callable[..., None]) -> Callable[..., None]:
    """A refusal of core is printed as its sentence, and the command leaves with 1."""

    @functools.wraps(command)
    def told(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except (
            people.Refused,
            passwords.BadPassword,
            stores.BadStore,
            phones.BadNumber,
        ) as refusal:
            raise click.ClickException(refusal.sentence) from None

    return told


def with_password(command: Callable[..., None]) -> Callable[..., None]:
    """The two ways to choose a password; without either one is made and shown once."""
    for option in (
        click.option(
            "--prompt", is_flag=True, help="Ask for the password, without showing it."
        ),
        click.option(
            "--password-stdin",
            is_flag=True,
            help="Read the password from the first line of standard input.",
        ),
    ):
        command = option(command)
    return command


@user_group.command("add")
@click.argument("email")
@click.option(
    "--name", help="As people read it on timelines; else what stands before the @."
)
@click.option(
    "--role",
    type=click.Choice(people.ROLES),
    default="none",
    help="Of the platform; agents have none.",
)
@with_password
@in_sentences
def add_user(
    email: str, name: str | None, role: str, prompt: bool, password_stdin: bool
) -> None:
    """Add a person. Without an option the password is made and shown once."""
    password, shown = _password(prompt, password_stdin)
    name = name if name is not None else email.strip().partition("@")[0].title()
    user = people.add(
        email=email, name=name, password=password, role=role, actor=COMMAND_LINE
    )
    click.echo(f"Added {user.email}, {user.name}, role {user.platform_role}.")
    _show(shown)
    if role == "none":
        click.echo(
            f"Next: flask --app wsgi store member SLUG {user.email} --role owner, or store open …"
            " --agent."
        )


@user_group.command("password")
@click.argument("email")
@with_password
@in_sentences
def set_password(email: str, prompt: bool, password_stdin: bool) -> None:
    """Set a new password; the person is logged out everywhere."""
    user = people.find(email)
    password, shown = _password(prompt, password_stdin)
    people.set_password(user.id, password, COMMAND_LINE, action="set_password")
    click.echo(f"{user.email} has a new password and is logged out everywhere.")
    _show(shown)


@user_group.command("reset")
@click.argument("email")
@in_sentences
def reset_password(email: str) -> None:
    """Print a one-time link with which the person sets a new password."""
    _echo_link(resets.make(people.find(email).id, COMMAND_LINE))


@user_group.command("role")
@click.argument("email")
@click.argument("role", type=click.Choice(people.ROLES))
@in_sentences
def set_role(email: str, role: str) -> None:
    """Give a person a role of the platform, or none; they are logged out everywhere."""
    user = people.find(email)
    done = people.set_role(user.id, role, COMMAND_LINE)
    if not done.changed:
        click.echo(f"{user.email} has the role {role} already.")
        return
    click.echo(f"{user.email} has the role {role} now and is logged out everywhere.")
    if done.password_voided:
        click.echo(
            "The password may be too short for this role, so it opens nothing any more."
        )
        _echo_link(resets.make(user.id, COMMAND_LINE))


@user_group.command("remove")
@click.argument("email")
@in_sentences
def remove_user(email: str) -> None:
    """Remove a person. What they did stays in the records; the same address may be added again."""
    user = people.find(email)
    left = people.remove(user.id, COMMAND_LINE)
    click.echo(
        f"Removed {user.email}." + (f" Worked in: {', '.join(left)}." if left else "")
    )


@user_group.command("list")
def list_users() -> None:
    """Everybody, by e-mail: address, name, role of the platform, stores."""
    after, limit = "", config.current().page_size
    while found := people.page(after=after, limit=limit):
        for person in found:
            works = ", ".join(
                f"{store.slug} ({role})" for store, role in person.works_in
            )
            user = person.user
            click.echo(
                f"{user.email}  {user.name}  {user.platform_role}{f'  {works}' if works else ''}"
            )
        after = found[-1].user.email


@store_group.command("open")
@click.argument("slug")
@click.option("--name", help="What customers read. Needed for a new store.")
@click.option(
    "--agent", help="E-mail of the person it belongs to. Needed for a new store."
)
@click.option("--whatsapp", help="The number customers write to.")
@click.option("--momo", help="The number customers pay to.")
@click.option("--colour", default=DEFAULT_COLOUR, show_default=True)
@in_sentences
def open_store(
    slug: str,
    name: str | None,
    agent: str | None,
    whatsapp: str | None,
    momo: str | None,
    colour: str,
) -> None:
    """Open a new store, or one that was closed or suspended again."""
    if (known := _known(slug)) is not None:
        if name or agent or whatsapp or momo:
            raise people.Refused(
                f"{slug} is there already: {known.name}, {known.status}. Open it by its address"
                " alone."
            )
        _set_status(known, "open", "")
        return
    if not name or not agent:
        raise people.Refused(
            f"There is no store {slug!r}. To open a new one give --name and --agent."
        )
    owner = people.find(agent)
    with tenancy.across_stores():
        store = onboarding.open_store(
            slug=slug, name=one_line(name), owner=owner, actor=COMMAND_LINE, colour=colour,
            whatsapp=whatsapp, momo_number=momo
        )  # fmt: skip
    click.echo(
        f"{store.name} is open at {config.current().address(store.slug)} and belongs to"
        f" {owner.email}."
    )


@store_group.command("close")
@click.argument("slug")
@click.option("--note", default="", help="What its customers read.")
@in_sentences
def close_store(slug: str, note: str) -> None:
    """Close a store: it takes no new orders. Orders under way go on, and its people may still log
    in."""
    _set_status(_store(slug), "closed", one_line(note))


@store_group.command("member")
@click.argument("slug")
@click.argument("email")
@click.option(
    "--role",
    type=STORE_ROLES,
    required=True,
    help="none takes the person out of the store.",
)
@in_sentences
def set_member(slug: str, email: str, role: str) -> None:
    """Let a person work in a store, or no longer; they are logged out everywhere."""
    store, user = _store(slug), people.find(email)
    if not people.set_membership(
        store, user.id, None if role == "none" else role, COMMAND_LINE
    ):
        click.echo(
            f"{user.email} is {'no member' if role == 'none' else role} of {store.slug} already."
        )
        return
    what = "no longer works" if role == "none" else f"is {role} now"
    click.echo(f"{user.email} {what} in {store.slug}, and is logged out everywhere.")


@store_group.command("list")
def list_stores() -> None:
    """Every store: address, name, state."""
    for store in stores.all_stores():
        click.echo(f"{store.slug}  {store.name}  {store.status}")


def _set_status(store: Store, status: str, note: str) -> None:
    was_so = store.status == status
    if was_so and note in ("", store.closed_note):
        click.echo(f"{store.slug} is {status} already.")
        return
    onboarding.set_store_status(store.id, status, note, COMMAND_LINE)
    click.echo(
        f"{store.slug} is {status} already; customers read the new note."
        if was_so
        else f"{store.slug} is {status}."
    )


def _store(slug: str) -> Store:
    if (store := _known(slug)) is None:
        raise people.Refused(
            f"There is no store {slug!r}. `store list` names all of them."
        )
    return store


def _known(slug: str) -> Store | None:
    return stores.by_slug(slug.strip().lower()) if slug.isprintable() else None


def _password(prompt: bool, from_stdin: bool) -> tuple[str, str | None]:
    """The password, and the same once more when it was made here and must be shown."""
    if prompt and from_stdin:
        raise click.UsageError("Give either --prompt or --password-stdin.")
    if prompt:
        return click.prompt("Password", hide_input=True, confirmation_prompt=True), None
    if from_stdin:
        line = sys.stdin.buffer.readline(passwords.LONGEST * 8)
        return line.decode("utf-8", "replace").rstrip("\r\n"), None
    made = passwords.generate()
    return made, made


def _show(password: str | None) -> None:
    if password is not None:
        click.echo(
            f"password: {password}  (shown once; change it after the first log-in)"
        )


def _echo_link(made: resets.Made) -> None:
    hours = config.current().reset_link_s / 3_600
    click.echo(
        f"One-time link for {made.user.email}, works once within {hours:g} h; an earlier one works"
        " no more:"
    )
    click.echo(made.url)
