"""Agents who ask for their earnings again and again: by the verbs that the portal's pages use.

A process of its own, with the settings of a stage, until it is ended:

    with Earners(stage, diary_path):
        ...
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

import psycopg

from tests.proofs import ROOT
from tests.proofs.counter import settings_of
from tests.proofs.stage import Stage

NUMBERS = {"ama": "024 123 4010", "kofi": "024 123 4011"}
"""The gateway calls their holders by the names of these two."""
NAMES = {"ama": "Ama Owusu", "kofi": "Kofi Mensah"}
ROUND_S = 0.7


class Earners:
    """The process, seen from the harness."""

    def __init__(self, stage: Stage, notes: Path) -> None:
        self._words = [sys.executable, "-m", "tests.proofs.earners", str(notes)]
        self._env = settings_of(stage)
        self._env["DATABASE_ADMIN_URL"] = stage.running.facts["database_admin_url"]
        self.notes = notes

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._words, cwd=ROOT, env=self._env, stdin=subprocess.PIPE
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """No payout is asked for any more."""
        self._process.kill()
        with self._process:
            pass


def main() -> int:
    """Ask, for ever."""
    import os

    from sqlalchemy.exc import SQLAlchemyError

    admin = os.environ.pop("DATABASE_ADMIN_URL")
    sys.path.insert(0, str(ROOT))
    # a program names it; nothing of ours imports it on import
    from wsgi import create_app

    app = create_app()
    with Path(sys.argv[1]).open("a", encoding="utf-8", buffering=1) as notes:
        while True:
            for slug in NUMBERS:
                try:
                    with app.app_context():
                        said = _ask(slug)
                    with psycopg.connect(admin, autocommit=True) as owner:
                        _a_day_passes(owner)
                except (SQLAlchemyError, psycopg.Error) as error:
                    said = type(error).__name__
                line = {"at": round(time.time(), 3), "store": slug, "said": said}
                notes.write(json.dumps(line) + "\n")
            time.sleep(ROUND_S)


def _ask(slug: str) -> str:
    """Name a number first, then ask for all there is."""
    from core import payouts, stores
    from core.accounts import users
    from core.audit import Actor
    from core.base import tenancy

    store = stores.by_slug(slug)
    with tenancy.across_stores():
        person = users.by_email(f"{slug}@makola.example")
    assert store is not None and person is not None
    actor = Actor("agent", NAMES[slug], person.id)
    with tenancy.inside(store.id):
        offer = payouts.offering.offer(store.id)
    try:
        if offer.problem.startswith("Say first"):
            payouts.accounts.name_number(store.id, NUMBERS[slug], "mtn", actor)
            return "named a number"
        if offer.problem:
            return offer.problem
        made = payouts.asking.ask(store.id, offer.amount_pesewas, actor)
        return f"asked for {offer.amount_pesewas}: {made.id}"
    except payouts.BadPayout as refused:
        return str(refused)


def _a_day_passes(owner: psycopg.Connection[tuple[object, ...]]) -> None:
    """For whoever was paid: they may ask once a day."""
    owner.execute(
        "UPDATE payouts SET requested_at = requested_at - interval '25 hours' WHERE state IN"
        " ('paid', 'failed', 'rejected') AND requested_at > now() - interval '1 day'"
    )


if __name__ == "__main__":
    sys.exit(main())
