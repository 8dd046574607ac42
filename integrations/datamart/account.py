"""Our own account at Data Mart: who we are there, the wallet, the webhook address.

Decides how the answers read. What a balance means for purchases is left to fulfilment.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from integrations import http
from integrations.datamart import envelope
from integrations.datamart.money import exactly, is_cedis, signed_pesewas
from integrations.ports import Account, Balance, NoAnswer
from integrations.strict_json import text, whole

SAID_LONGEST = 60
"""A figure as it was sent is kept with so many characters."""


def balance(reply: http.Reply) -> Balance | NoAnswer:
    """The wallet, below zero too. A figure that is no amount is no information, never zero; it is
    named."""
    data = envelope.data_or_no_answer(reply)
    if isinstance(data, NoAnswer):
        return data
    if not is_cedis(data.get("currency")):
        return NoAnswer(
            "broken",
            f"the balance is in another currency, “{text(data.get('currency'), 12)}”",
        )
    figure = data.get("balance")
    balance_pesewas = signed_pesewas(figure)
    amount = exactly(figure)
    if balance_pesewas is None or amount is None:
        said = text(figure, 40)
        return NoAnswer(
            "broken",
            f"the balance is no amount: “{said}”" if said else "no balance in it",
        )
    return Balance(balance_pesewas, str(amount)[:SAID_LONGEST])


def account(reply: http.Reply) -> Account | NoAnswer:
    """The account, missing members empty. Its rate limit is left out: the supplier shows it and
    does not keep it."""
    data = envelope.data_or_no_answer(reply)
    if isinstance(data, NoAnswer):
        return data
    holder, wallet, api = (
        _object(data.get(name)) for name in ("account", "wallet", "api")
    )
    signed = api.get("webhookSignatureEnabled")
    networks = data.get("supported_networks")
    return Account(
        name=text(holder.get("name")),
        role=text(holder.get("role"), 40),
        status=text(holder.get("status"), 40),
        balance_pesewas=signed_pesewas(wallet.get("balance")),
        request_count=whole(api.get("requestCount")),
        webhook_url=text(api.get("webhookUrl"), 2000),
        signature_enabled=signed if isinstance(signed, bool) else None,
        supported_networks=tuple(text(n, 40) for n in networks)
        if isinstance(networks, list)
        else (),
    )


def webhook_saved(reply: http.Reply) -> bool | NoAnswer:
    """Whether the test event that follows the saving arrived."""
    data = envelope.data_or_no_answer(reply)
    if isinstance(data, NoAnswer):
        return data
    return data.get("test_status") == "successful"


def webhook_tested(reply: http.Reply) -> bool | NoAnswer:
    """Whether there was an address to send a test event to; the supplier does not say if it
    arrived."""
    answer = envelope.read(reply) if isinstance(reply, http.Answer) else None
    if isinstance(answer, envelope.Envelope) and answer.is_ok:
        return True
    if (
        isinstance(answer, envelope.Envelope)
        and answer.status == 400
        and answer.code == "NO_WEBHOOK"
    ):
        return False
    return envelope.no_answer(reply)


def _object(value: object) -> Mapping[str, Any]:
    if isinstance(value, dict):
        return value
    return {}
