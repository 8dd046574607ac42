"""What a handler of the outbox gives back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """When to look again, or None for done; and for a person's request, what came of it in a
    sentence."""

    due_at: datetime | None
    ok: bool | None = None
    text: str | None = None
    result: dict[str, Any] | None = None
    news_read: bool = True
    """False: no call was left to ask about the signed news there is."""
    kept: bool | None = None
    """Whether the row was closed with the answer: False when its lease was lost by then, None when
    it is still to be closed."""
