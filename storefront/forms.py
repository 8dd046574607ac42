"""Reading the order form: what was typed, cut to a sane length, and what of it can be used.

Decides only about shape. Whether a bundle is sold and a number can receive it is for
`core.orders.check`.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field

from werkzeug.datastructures import MultiDict

from core.base import phones, text_input
from core.base.language import say
from core.orders import OrderDraft

_ECHOED = 60
"""Characters of typed text that are shown again; more than any number needs."""


@dataclass(frozen=True)
class OrderForm:
    """One post to /orders. Repeated fields: the first wins. Unknown fields are ignored."""

    bundle_text: str = ""
    recipient_text: str = ""
    bundle_id: int | None = None
    recipient_msisdn: str | None = None
    idempotency_key: str | None = None
    price_seen_pesewas: int | None = None
    price_is_bad: bool = False
    confirmed: bool = False
    repeat_confirmed: bool = False
    pays_online: bool = False
    by_prompt: bool = False
    errors: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, posted: MultiDict[str, str]) -> OrderForm:
        """Read a posted form; never raises. `errors` holds one sentence for each field that cannot
        be used."""
        bundle_text = posted.get("bundle", "")
        recipient_text = posted.get("recipient", "")
        price_text = posted.get("price", "")
        key = posted.get("idempotency_key", "")
        errors: dict[str, str] = {}
        recipient = None
        try:
            recipient = phones.parse(recipient_text)
        except phones.BadNumber as bad:
            errors["recipient"] = bad.sentence
        bundle_id = _whole(bundle_text)
        if bundle_id is None:
            errors["bundle"] = (
                say("Choose a bundle.")
                if not bundle_text.strip()
                else say("Choose a bundle from the list.")
            )
        return cls(
            bundle_text=bundle_text[:_ECHOED],
            recipient_text=_echo(recipient_text, recipient),
            bundle_id=bundle_id,
            recipient_msisdn=recipient,
            idempotency_key=key if re.fullmatch(r"[A-Za-z0-9_-]{16,64}", key) else None,
            price_seen_pesewas=_whole(price_text),
            price_is_bad=bool(price_text) and _whole(price_text) is None,
            confirmed=posted.get("confirm", "") == "1",
            repeat_confirmed=posted.get("again", "") == "1",
            pays_online=posted.get("pay", "") in ("online", "prompt"),
            by_prompt=posted.get("pay", "") == "prompt",
            errors=errors,
        )

    @classmethod
    def of_draft(cls, draft: OrderDraft) -> OrderForm:
        """The form as it was when the draft was made."""
        return cls(
            bundle_text=str(draft.bundle_id),
            recipient_text=draft.recipient_text,
            bundle_id=draft.bundle_id,
            recipient_msisdn=draft.recipient_msisdn,
            idempotency_key=draft.idempotency_key,
            price_seen_pesewas=draft.price_pesewas,
        )


def new_key() -> str:
    """A fresh idempotency key: 128 random bits."""
    return secrets.token_hex(16)


def _echo(text: str, recipient: str | None) -> str:
    """The number as it was typed, for showing and sending once more; in our own spelling when
    cutting it changed it."""
    kept = "".join(c for c in text_input.visible(text) if c.isprintable())[:_ECHOED]
    if recipient is None:
        return kept
    try:
        if phones.parse(kept) == recipient:
            return kept
        return phones.show(recipient)
    except phones.BadNumber:
        return phones.show(recipient)


def _whole(text: str) -> int | None:
    """An unsigned whole number that any integer column holds, else None. ASCII digits only."""
    if re.fullmatch(r"[0-9]{1,9}", text):
        return int(text)
    return None
