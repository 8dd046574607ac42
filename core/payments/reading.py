"""Reading pasted mobile-money messages, one or many: each by one of `formats.FORMATS`, from its
first sign to its last, or not at all. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from core.base import clock, money, phones, text_input
from core.payments.formats import (
    CHATS,
    FORMATS,
    HALF,
    SENDERS,
    STARTS,
    Format,
)

MOST = 200
"""Messages that are read of one paste; the others stay in the field."""
LONGEST = 700
"""Characters of one message."""
LONGEST_NAME = 60
MOST_FEE_PERCENT = 5
"""Of money that came, of its amount. Whoever sends pays the fee, and each message that was seen
says 0.00: this is room to spare. A larger one would set the balance before at will."""
_NUMBER = re.compile(r"(?<![0-9])(?:\+?233|0)[0-9]{9}(?![0-9])")
_AROUND = " -–.,()/"
_QUOTES = " >*\"'“”‘’"
_HALF = 40
"""A first line after which its message goes on is no longer."""


@dataclass(frozen=True)
class Message:
    """What one message says. What it does not say is None or empty; amounts are in pesewas."""

    provider: str
    is_in: bool
    """Whether money came. What went out is read for its balance, and names nobody."""
    transaction_id: str
    amount_pesewas: int
    balance_pesewas: int
    fee_pesewas: int
    payer_name: str = ""
    payer_msisdn: str = ""
    reference: str = ""
    paid_at: datetime | None = None
    is_from_chat: bool = False
    """Whether it was copied out of a chat: anybody can write there."""


@dataclass(frozen=True)
class Pasted:
    """What was read, in the order in which it stood, and what was not, as it was."""

    messages: tuple[Message, ...]
    unread: tuple[str, ...]
    left: tuple[str, ...]
    """More than `MOST`: not looked at yet."""


def read(pasted: str) -> Pasted:
    """Every message of a text. One line of a chat makes all of it one: whoever writes there can
    break a line."""
    blocks = _blocks(pasted)
    is_from_chat = any(CHATS.match(line.lstrip(_QUOTES)) for line in _lines(pasted))
    messages, unread = [], []
    for block in blocks[:MOST]:
        found = read_one(block)
        if found is None:
            unread.append(block)
        else:
            messages.append(replace(found, is_from_chat=is_from_chat))
    return Pasted(tuple(messages), tuple(unread), tuple(blocks[MOST:]))


def read_one(block: str) -> Message | None:
    """One message, or None when it is of no known shape."""
    plain = CHATS.sub("", block, count=1) if CHATS.match(block) else block
    text = plain.strip(_QUOTES)
    if len(text) > LONGEST:
        return None
    for one in FORMATS:
        found = one.shape.fullmatch(text)
        if found is not None:
            return _said(one, found, is_from_chat=plain != block)
    return None


def _blocks(pasted: str) -> list[str]:
    """The messages of a text, each on one line: one begins where a line begins as messages do, and
    ends there, at an empty line, or when it is too long for one."""
    blocks: list[str] = []
    is_open = False
    for line in _lines(pasted):
        bare = CHATS.sub("", line, count=1).strip(_QUOTES)
        if not line or SENDERS.fullmatch(bare):
            is_open = False
            continue
        is_open = is_open and len(blocks[-1]) <= LONGEST
        if is_open and (_is_half(blocks[-1]) or not _begins(line, bare)):
            blocks[-1] += f" {line}"
        else:
            blocks.append(line)
        is_open = True
    return blocks


def _is_half(block: str) -> bool:
    return len(block) <= _HALF and HALF.fullmatch(block.strip(_QUOTES)) is not None


def _begins(line: str, bare: str) -> bool:
    return STARTS.match(bare) is not None or CHATS.match(line) is not None


def _lines(pasted: str) -> Sequence[str]:
    shown = text_input.visible(pasted).replace("\0", " ")
    return [" ".join(line.split()) for line in shown.splitlines()]


def _said(one: Format, found: re.Match[str], *, is_from_chat: bool) -> Message | None:
    """What a message of this shape says; None when its figures or its moment cannot be."""
    said = {name: value or "" for name, value in found.groupdict().items()}
    amount, balance = _pesewas(said["amount"]), _pesewas(said["balance"])
    paid_at = _moment(said.get("day", ""), said.get("time", ""))
    is_odd = said.get("day") and paid_at is None
    if is_odd or not 0 < amount <= money.MOST_PESEWAS or balance > _MOST_BALANCE:
        return None
    fee = _pesewas(said.get("fee") or "0.00")
    if one.is_in and fee * 100 > amount * MOST_FEE_PERCENT:
        return None
    name, number = _payer(said.get("payer", "")) if one.is_in else ("", "")
    return Message(
        provider=one.provider,
        is_in=one.is_in,
        transaction_id=said["id"].upper(),
        amount_pesewas=amount,
        balance_pesewas=balance,
        fee_pesewas=fee,
        payer_name=name,
        payer_msisdn=number,
        reference=text_input.one_line(said.get("reference", "")) if one.is_in else "",
        paid_at=paid_at,
        is_from_chat=is_from_chat,
    )


_MOST_BALANCE = 100 * money.MOST_PESEWAS


def _pesewas(said: str) -> int:
    whole, _, part = said.replace(",", "").partition(".")
    return int(whole) * 100 + int(part.ljust(2, "0"))


def _payer(said: str) -> tuple[str, str]:
    """Name and number, in whatever order they stand."""
    found = _NUMBER.search(said)
    if found is None:
        return text_input.one_line(said.strip(_AROUND), LONGEST_NAME), ""
    rest = said[: found.start()] + " " + said[found.end() :]
    try:
        number = phones.parse(found[0])
    except phones.BadNumber:
        number = ""
    return text_input.one_line(rest.strip(_AROUND), LONGEST_NAME), number


def _moment(day: str, time: str) -> datetime | None:
    """In Accra; None for what is no moment."""
    digits = day.split("-") if "-" in day else day.split("/")[::-1]
    try:
        year, month, of_month = map(int, digits)
        hour, minute, second = map(int, f"{time}:00".split(":")[:3])
        return datetime(year, month, of_month, hour, minute, second, tzinfo=clock.ACCRA)
    except ValueError:
        return None
