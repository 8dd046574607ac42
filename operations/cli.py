"""The commands that keep the place running: `relay`, `worker`, `supervise`, `prove`, `seed`,
`customer …`, `backup` and its restore, `db …`. Those of `supplier …` are in `supplier_commands`."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click
from flask import Flask, current_app
from flask.cli import AppGroup, with_appcontext
from flask.globals import app_ctx

from core import orders, proof, stores
from core.accounts import people, users
from core.base import config, passwords, phones, tenancy
from fulfilment import prove, relay
from operations import backup, restored, seeds, supervise, supplier_commands, worker
from operations.postgres_programs import BackupFailed
from operations.schema_commands import SchemaCommands

T = TypeVar("T")
customer_group = AppGroup("customer", help="What customers may ask of us.")


def register(app: Flask) -> None:
    """Add the commands to `flask --app wsgi`."""
    work = (relay_command, worker_command, supervise_command, prove_command)
    keep = (backup_command, restore_command, restore_check_command, restored_command)
    for command in (
        *work,
        *keep,
        seed_command,
        supplier_commands.supplier_group,
        customer_group,
    ):
        app.cli.add_command(command)
    app.cli.add_command(SchemaCommands(app, str(_migrations(app))))


def _migrations(app: Flask) -> Path:
    return Path(app.root_path) / "migrations"


@click.command("relay")
@with_appcontext
def relay_command() -> None:
    """Ring due rows of the outbox until stopped."""
    relay.run(app_ctx.app, _stop_on_signals())


@click.command("worker")
@click.option(
    "--payments", is_flag=True, help="Ask the payment gateway instead of buying."
)
@with_appcontext
def worker_command(payments: bool) -> None:
    """Work on rung rows until stopped."""
    worker.settle_memory()
    worker.run(app_ctx.app, config.current().redis_url, of_payments=payments)


@click.command("supervise")
@click.option(
    "--workers",
    type=click.IntRange(1, 16),
    help="Worker processes; default MAKOLA_WORKERS.",
)
@click.option(
    "--pids-file",
    type=click.Path(path_type=Path),
    help="Write who runs to this file as JSON.",
)
@with_appcontext
def supervise_command(workers: int | None, pids_file: Path | None) -> None:
    """Keep the relay and the workers alive."""
    supervise.run(workers or config.current().workers, pids_file, _stop_on_signals())


@click.command("prove")
@click.option("--whole", is_flag=True, help="Verify every seal, also of large books.")
@with_appcontext
def prove_command(whole: bool) -> None:
    """Prove the books and seal what is new. Exits 1 when they do not hold."""
    try:
        found = prove.prove_now(whole)
    except proof.UnderWay:
        raise click.ClickException(
            "Another proof is under way. Try again in a moment."
        ) from None
    click.echo(prove.told(found))
    click.echo(
        f"{found.counts['verified']} seals verified in {found.counts['took_ms']} ms. Hash"
        f" {found.hash}"
    )
    if not found.ok:
        raise SystemExit(1)


@click.command("seed")
@click.option(
    "--demo",
    is_flag=True,
    help="Stores ama and kofi with agents, wallets and the supplier's catalogue.",
)
@click.option(
    "--owner-only", is_flag=True, help="Only the owner; the password is printed once."
)
@click.option(
    "--passwords-file",
    type=click.Path(path_type=Path, exists=True),
    help="JSON of e-mails and passwords.",
)
@with_appcontext
def seed_command(
    demo: bool,
    owner_only: bool,
    passwords_file: Path | None,
) -> None:
    """Load the first rows. Safe to repeat: what exists stays, passwords are set to the file's."""
    if demo == owner_only:
        raise click.UsageError("Give either --demo or --owner-only.")
    if demo:
        if passwords_file is None:
            raise click.UsageError("--demo needs --passwords-file.")
        logins = json.loads(passwords_file.read_text())
        click.echo(
            _or_a_sentence(
                lambda: seeds.demo(logins, current_app.extensions["supplier"])
            )
        )
        return
    login = {"email": "owner@makola.example", "password": passwords.generate()}
    shown = (
        f"password: {login['password']}  (shown once; change it after the first log-in)"
    )
    if passwords_file is not None:
        login = json.loads(passwords_file.read_text())["owner"]
        shown = "password as in the file"
    found = _or_a_sentence(lambda: seeds.owner(login["email"], login["password"]))
    if found is None:
        click.echo(f"owner: {login['email']}  {shown}")
    elif passwords_file is None or (
        found.email == login["email"] and users.verify(found, login["password"])
    ):
        click.echo("The owner exists already.")
    else:
        click.echo(
            f"The owner exists already: {found.email}. The password of the file was NOT set: this"
            " command changes no password.\nTo set it: flask --app wsgi user password"
            f" {found.email}"
        )


@click.command("backup")
@click.argument("file", type=click.Path(path_type=Path))
@with_appcontext
def backup_command(file: Path) -> None:
    """Write a backup of the whole database to FILE and read it back."""
    taken = _or_a_sentence(lambda: backup.take(_owner_url(), file))
    click.echo(
        f"{file}: {sum(taken.rows.values())} rows of {len(taken.rows)} tables, {taken.size_bytes}"
        f" bytes, read back. Orders: {taken.rows['orders']}."
    )


@click.command("restore")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@with_appcontext
def restore_command(file: Path) -> None:
    """Bring the backup FILE back into the empty database of DATABASE_ADMIN_URL."""
    _or_a_sentence(lambda: backup.restore(_owner_url(), file))
    click.echo(
        "Restored. Next: `db upgrade`, then `restore-check`, then start web and supervise."
    )


@click.command("restore-check")
@with_appcontext
def restore_check_command() -> None:
    """Look whether a restored database is whole. Changes nothing; leaves with 1 when something is
    missing."""
    found = restored.look(str(_migrations(current_app)))
    for finding in found:
        click.echo(f"{'ok ' if finding.ok else 'BAD'} {finding.sentence}")
    if not all(finding.ok for finding in found):
        raise click.exceptions.Exit(1)


@click.command("restored")
@with_appcontext
def restored_command() -> None:
    """Say that files of an earlier day were put back under the same server, which the database
    itself cannot show."""
    with tenancy.across_stores():
        asked = orders.note_restore(told=True)
    click.echo(f"Noted. {asked} orders are asked about before they are bought.")


def _owner_url() -> str:
    url = config.current().database_admin_url
    if not url:
        raise click.UsageError(
            "DATABASE_ADMIN_URL is not set: backup and restore need the owner of the tables."
        )
    return url


def _or_a_sentence(act: Callable[[], T]) -> T:
    try:
        return act()
    except BackupFailed as problem:
        raise click.ClickException(str(problem)) from problem
    except (passwords.BadPassword, people.PersonRefused) as refusal:
        raise click.ClickException(
            f"A log-in of the file cannot be used. {refusal.sentence}"
        ) from None


@customer_group.command("forget")
@click.argument("number")
@click.option("--store", "slug", help="Only in this store; otherwise in all of them.")
@with_appcontext
def customer_forget(number: str, slug: str | None) -> None:
    """Mask NUMBER in all its finished orders now. Leaves with 1 when orders are left that still
    need it."""
    try:
        recipient = phones.parse(number)
    except phones.BadNumber as bad:
        raise click.ClickException(bad.sentence) from None
    store = stores.by_slug(slug.strip().lower()) if slug else None
    if slug and store is None:
        raise click.ClickException(f"There is no store called {slug}.")
    with tenancy.across_stores():
        found = orders.forget_number(
            recipient, people.COMMAND_LINE, store.id if store else None
        )
    click.echo(
        f"{found.masked} orders masked. Backups keep the number until they are deleted."
    )
    if found.open_codes:
        raise click.ClickException(
            f"Not over yet, so they keep it: {', '.join(found.open_codes)}. Finish or cancel them"
            " and settle their cases, then do this again."
        )


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    return stop
