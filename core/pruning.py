"""What is deleted when its keeping time is over: calls to the supplier, webhooks, finished requests
of people; and of payment messages for no order, who paid.

Evidence that no role of the application may delete: a function of the database does, and hears
signed words alone.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import text

from core.base import clock, config, signed
from core.base.db import transaction


def prune() -> int:
    """Delete call lines, webhooks, finished requests and the payers of payment messages for no
    order, past their keeping time. Returns how many rows went or were emptied."""
    settings = config.current()
    now = clock.now()
    said = signed.say(
        "makola_prune",
        calls_before=(now - timedelta(days=settings.call_keep_days)).isoformat(),
        webhooks_before=(now - timedelta(days=settings.webhook_keep_days)).isoformat(),
        asked_before=(now - clock.delta(settings.call_keep_days * 86_400)).isoformat(),
        messages_before=(now - timedelta(days=settings.retention_days)).isoformat(),
    )
    with transaction() as session:
        return int(
            session.execute(text("SELECT makola_prune(:said, :mac)"), said).scalar_one()
        )
