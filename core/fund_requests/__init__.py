"""Requests for money into a wallet: an agent says what they paid and under which reference
(`asking`), the owner of the platform approves or refuses it (`deciding`), pages list them
(`listing`).

A request moves nothing. Approving books it by `online.fund_wallet`, once.
"""

from core.fund_requests.asking import MOST_WAITING, Ask, ask, withdraw
from core.fund_requests.deciding import approve, refuse
from core.fund_requests.listing import (
    Listed,
    Waiting,
    by_id,
    newest,
    of_reference,
    waiting,
    waiting_in_all,
)
from core.fund_requests.model import BadRequest, FundRequest, NoSuchRequest

__all__ = [
    "MOST_WAITING",
    "Ask",
    "BadRequest",
    "FundRequest",
    "Listed",
    "NoSuchRequest",
    "Waiting",
    "approve",
    "ask",
    "by_id",
    "newest",
    "of_reference",
    "refuse",
    "waiting",
    "waiting_in_all",
    "withdraw",
]
