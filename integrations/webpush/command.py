"""`flask --app wsgi push-key`: a key pair for `MAKOLA_PUSH_KEY`."""

from __future__ import annotations

import click


@click.command("push-key")
def push_key_command() -> None:
    """Print a new key pair. Whoever switched notices on has to do it again with a new one."""
    from integrations.webpush import keys

    click.echo(keys.make())
