"""People by command: `flask --app wsgi user …`. The commands of stores are in `store_commands`.

Whoever may run commands on the machine may do all of it, and every act leaves a line of *Command
line* in the audit. A password never comes from the command's words, which other people of the
machine can read.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import click
from flask import Flask
from flask.cli import AppGroup

from admin_console import store_commands
from admin_console.in_sentences import in_sentences
from admin_console.reset_links import echo_link, echo_unproven
from core.accounts import people, second_steps
from core.accounts.people import COMMAND_LINE
from core.base import config, passwords

user_group = AppGroup(
    "user", help="Add and remove people, change their passwords and roles."
)


def register(app: Flask) -> None:
    """Add the commands to `flask --app wsgi`."""
    app.cli.add_command(user_group)
    app.cli.add_command(store_commands.store_group)


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
    if name is None:
        name = email.strip().partition("@")[0].title()
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
def set_password(
    email: str,
    prompt: bool,
    password_stdin: bool,
) -> None:
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
    echo_link(people.find(email).id)


@user_group.command("second-step-off")
@click.argument("email")
@in_sentences
def end_second_step(email: str) -> None:
    """Ask a person for no code any more: for who has lost phone and paper."""
    user = people.find(email)
    if second_steps.turn_off(user.id, COMMAND_LINE):
        click.echo(f"{user.email}: the password alone logs in now.")
    else:
        click.echo(f"{user.email} has no second step.")


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
    if role != "none" and echo_unproven(user):
        return
    if done.password_voided:
        click.echo(
            "The password may be too short for this role, so it opens nothing any more."
        )
        echo_link(user.id)


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
    after = ""
    limit = config.current().page_size
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
