"""A webhook of Paystack: whether it is theirs, and what to look up because of it.

Decides the reading only. A webhook moves no money: whoever gets one asks for the record it names.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from integrations.payments_port import PaymentNews
from integrations.paystack import reading
from integrations.strict_json import loads, text

HEADER = "x-paystack-signature"
MAX_BYTES = 256 * 1024
"""A longer body is not looked at."""


@dataclass(frozen=True, repr=False)
class Keys:
    """The secret keys that sign webhooks. The previous one is for the time of a rotation."""

    current: str
    previous: str = ""

    def signer(
        self, body: bytes, signature: str
    ) -> Literal["current", "previous"] | None:
        """Whose signature of exactly these bytes it is."""
        if _signs(self.current, body, signature):
            return "current"
        if _signs(self.previous, body, signature):
            return "previous"
        return None


def read_event(body: bytes, headers: Mapping[str, str], keys: Keys) -> PaymentNews:
    """What a webhook asks to look up. Never raises, whatever the bytes; of one that is not signed
    nothing is read."""
    if len(body) > MAX_BYTES:
        return PaymentNews(None)
    given = next((v for name, v in headers.items() if name.lower() == HEADER), "")
    signer = keys.signer(body, given)
    if signer is None:
        return PaymentNews(None)
    try:
        whole = loads(body)
    except ValueError:
        whole = None
    if not isinstance(whole, dict):
        return PaymentNews(signer)
    return _news(signer, text(whole.get("event"), 60), reading.member(whole, "data"))


def _news(
    signer: Literal["current", "previous"], event: str, data: Mapping[str, Any]
) -> PaymentNews:
    gateway_id = reading.gateway_id(data.get("id"))
    is_live = reading.is_live(data)
    reference = text(data.get("reference"), 100) or None
    same_as = f"{event}|{gateway_id or reference}"
    if event.startswith("refund."):
        named = text(data.get("transaction_reference"), 100) or None
        parts = (event, named, data.get("refund_reference"), data.get("amount"))
        told = "|".join(text(part, 100) for part in (*parts, data.get("status")))
        return PaymentNews(signer, event, "refunds", named, gateway_id, is_live, told)
    if event.startswith("charge.dispute."):
        named = text(reading.member(data, "transaction").get("reference"), 100) or None
        return PaymentNews(
            signer, event, "dispute", named, gateway_id, is_live, same_as
        )
    if event == "charge.success":
        return PaymentNews(
            signer, event, "payment", reference, gateway_id, is_live, same_as
        )
    if event in ("transfer.success", "transfer.failed", "transfer.reversed"):
        return PaymentNews(
            signer, event, "transfer", reference, gateway_id, is_live, same_as
        )
    return PaymentNews(
        signer, event, "nothing", reference, gateway_id, is_live, same_as
    )


def _signs(key: str, body: bytes, signature: str) -> bool:
    if not key:
        return False
    expected = hmac.new(key.encode(), body, hashlib.sha512).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace"))
