"""Stores by command: `flask --app wsgi store …`.

Every act leaves a line of *Command line* in the audit, as those of `commands` do.
"""

from __future__ import annotations

import click
from flask.cli import AppGroup

from admin_console.in_sentences import in_sentences
from admin_console.reset_links import echo_unproven
from core import onboarding, store_list, stores
from core.accounts import people
from core.accounts.people import COMMAND_LINE
from core.base import config, tenancy
from core.base.text_input import one_line
from core.stores import DEFAULT_COLOUR, Store

store_group = AppGroup(
    "store", help="Open and close stores, and say who works in them."
)
STORE_ROLES = click.Choice((*people.STORE_ROLES, "none"))


@store_group.command("open")
@click.argument("slug")
@click.option("--name", help="What customers read. Needed for a new store.")
@click.option(
    "--agent", help="E-mail of the person it belongs to. Needed for a new store."
)
@click.option("--whatsapp", help="The number customers write to.")
@click.option("--momo", help="The number customers pay to.")
@click.option("--momo-name", default="", help="Whose account that is.")
@click.option("--colour", default=DEFAULT_COLOUR, show_default=True)
@in_sentences
def open_store(
    slug: str,
    name: str | None,
    agent: str | None,
    whatsapp: str | None,
    momo: str | None,
    momo_name: str,
    colour: str,
) -> None:
    """Open a new store, or one that was closed or suspended again."""
    if (known := _known(slug)) is not None:
        if name or agent or whatsapp or momo:
            raise people.PersonRefused(
                f"{slug} is there already: {known.name}, {known.status}. Open it by its address"
                " alone."
            )
        _set_status(known, "open", "")
        return
    if not name or not agent:
        raise people.PersonRefused(
            f"There is no store {slug!r}. To open a new one give --name and --agent."
        )
    owner = people.find(agent)
    with tenancy.across_stores():
        store = onboarding.open_store(
            slug=slug,
            name=one_line(name),
            owner=owner,
            actor=COMMAND_LINE,
            colour=colour,
            whatsapp=whatsapp,
            momo_number=momo,
            momo_name=one_line(momo_name),
        )
    click.echo(
        f"{store.name} is open at {config.current().address(store.slug)} and belongs to"
        f" {owner.email}."
    )
    echo_unproven(owner)


@store_group.command("momo")
@click.argument("slug")
@click.argument("number")
@click.argument("name")
@in_sentences
def set_momo(slug: str, number: str, name: str) -> None:
    """The number that customers of a store pay to, and the name of its account."""
    store = _store(slug)
    onboarding.set_momo(store.id, number, one_line(name), COMMAND_LINE)
    click.echo(f"Customers of {store.slug} now pay to {number}, {one_line(name)}.")


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
    store = _store(slug)
    user = people.find(email)
    if not people.set_membership(
        store, user.id, None if role == "none" else role, COMMAND_LINE
    ):
        click.echo(
            f"{user.email} is {'no member' if role == 'none' else role} of {store.slug} already."
        )
        return
    what = "no longer works" if role == "none" else f"is {role} now"
    click.echo(f"{user.email} {what} in {store.slug}, and is logged out everywhere.")
    if role != "none":
        echo_unproven(user)


@store_group.command("list")
def list_stores() -> None:
    """Every store: address, name, state."""
    for store in store_list.all_stores():
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
        raise people.PersonRefused(
            f"There is no store {slug!r}. `store list` names all of them."
        )
    return store


def _known(slug: str) -> Store | None:
    if slug.isprintable():
        return stores.by_slug(slug.strip().lower())
    return None
