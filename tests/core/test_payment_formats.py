"""Payment messages as networks send them, with made-up people, and everything else, of which nothing
is read."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.base import clock, text_input
from core.payments import formats, reading

IN = {
    "MTN, money received": (
        ("Payment received for GHS 24.00 from EFUA SAMPLE Current Balance: GHS 1,124.00 ."
        " Available Balance: GHS 1,124.00. Reference: 482913. Transaction ID: 88100000923."
        " TRANSACTION FEE: 0.00"),
        ("mtn", "88100000923", 2400, 112400, "EFUA SAMPLE", "", "482913", None),
    ),
    "MTN, with the number, without fee": (
        ("Payment received for GHS 5.50 from YAW EXAMPLE (0241110000). Current Balance: GHS"
        " 1,850.50. Reference: data for mum. Transaction ID: 18400000201."),
        ("mtn", "18400000201", 550, 185050, "YAW EXAMPLE", "+233241110000",
         "data for mum", None),
    ),
    "MTN, cash in": (
        ("Cash In received for GHS 500.00 from MADE UP VENTURES. Current Balance: GHS 950.50."
        " Reference: 1. Transaction ID: 18400000202."),
        ("mtn", "18400000202", 50000, 95050, "MADE UP VENTURES", "", "1", None),
    ),
    "Telecel, from MTN": (
        ("0000014200069861 Confirmed. You have received GHS24.00 from MTN MOBILE MONEY with"
        " transaction reference: Transfer From: 233241110000-YAW EXAMPLE on 2026-11-05 at"
        " 09:00:00. Your Telecel Cash balance is GHS3450.00. Ref: 482 913"),
        ("telecel", "0000014200069861", 2400, 345000, "YAW EXAMPLE", "+233241110000",
         "482 913", datetime(2026, 11, 5, 9, tzinfo=clock.ACCRA)),
    ),
    "Telecel, its own, over three lines": (
        ("0000014200069865 Confirmed.\nYou have received GHS5.00 from 233501110000 - AKUA"
        " SAMPLE on 2026-11-18 at 15:30:07. Your Telecel Cash balance is GHS3,370.00.\n"
        "Reference: 1.\nStay alert. Never share your PIN or OTP with anyone."),
        ("telecel", "0000014200069865", 500, 337000, "AKUA SAMPLE", "+233501110000", "1",
         datetime(2026, 11, 18, 15, 30, 7, tzinfo=clock.ACCRA)),
    ),
    "AT": (
        ("AT Money: You have received GHS 20.00 from 0271110000 KOFI EXAMPLE. Trans ID:"
        " ATX7700234. Date: 01/05/2026 10:15. New balance: GHS 45.00"),
        ("at", "ATX7700234", 2000, 4500, "KOFI EXAMPLE", "+233271110000", "",
         datetime(2026, 5, 1, 10, 15, tzinfo=clock.ACCRA)),
    ),
}  # fmt: skip
OUT = {
    "MTN, sent": (
        ("Payment made for GHS 5.00 to YAW EXAMPLE Current Balance: GHS 102.41 . Available"
        " Balance: GHS 102.41. Reference: 1. Transaction ID: 88100000929. Fee charged: GHS"
        " 0.10 Tax charged: 0"),
        (500, 10241, 10),
    ),
    "MTN, cash out": (
        ("Cash Out made for GHS20.00 to MADE UP VENTURES. Current Balance: GHS9.79 Financial"
        " Transaction Id: 87400000712. Cash-out fee is charged automatically from your MTN MoMo"
        " wallet. Please do not pay any fees to the Agent. Fee charged: GHS0.50."),
        (2000, 979, 50),
    ),
    "MTN, to a merchant": (
        ("Payment for GHS200.00 to MADE UP PROVISIONS .Current Balance: GHS 165.00. Transaction"
        " Id: 51200000002. Fee charged: GHS0.00,Tax Charged 0."),
        (20000, 16500, 0),
    ),
    "MTN, airtime": (
        ("Your payment of GHS 10.00 to MTN AIRTIME has been completed at 2026-06-10 21:00:02."
        " Your new balance: GHS 90.57. Fee was GHS 0.00 Tax was GHS -. Reference: -. Financial"
        " Transaction Id: 83000000642. External Transaction Id: 83000000642."),
        (1000, 9057, 0),
    ),
    "Telecel, paid": (
        ("0000014200069862 Confirmed. GHS350.00 paid to 400200 - MADE UP SHOP on 2026-11-10 at"
        " 14:30:00. Your new Telecel Cash balance is GHS3100.00. You were charged GHS0.75. Your"
        " E-levy charge is GHS0.00. Reference: groceries."),
        (35000, 310000, 75),
    ),
    "Telecel, withdrawn": (
        ("0000015000032227 Confirmed. You have withdrawn GHS299.58 from A10000 - MADE UP TRADERS"
        " on 2026-09-10 at 13:51:07. Your Telecel Cash balance is GHS654.03."),
        (29958, 65403, 0),
    ),
}  # fmt: skip
MTN = IN["MTN, money received"][0]


@pytest.mark.parametrize("name", IN)
def test_a_message_of_money_that_came_is_read(name: str) -> None:
    text, wanted = IN[name]
    (one,) = reading.read(text).messages
    assert one.is_in and not one.is_from_chat
    assert wanted == (
        one.provider, one.transaction_id, one.amount_pesewas, one.balance_pesewas,
        one.payer_name, one.payer_msisdn, one.reference, one.paid_at,
    )  # fmt: skip


@pytest.mark.parametrize("name", OUT)
def test_of_money_that_went_out_only_the_figures_are_read(name: str) -> None:
    text, wanted = OUT[name]
    (one,) = reading.read(text).messages
    assert not one.is_in and not one.payer_name and not one.reference
    assert wanted == (one.amount_pesewas, one.balance_pesewas, one.fee_pesewas)


def test_every_format_has_a_recorded_message() -> None:
    recorded = [text for text, _ in (*IN.values(), *OUT.values())]
    blocks = [reading._blocks(text)[0] for text in recorded]
    for one in formats.FORMATS:
        assert any(one.shape.fullmatch(block) for block in blocks), one.name


def test_fifty_of_all_kinds_are_read_in_their_order() -> None:
    """As an inbox gives them: some apart, some not, with who sent them above."""
    texts = [text for text, _ in (*IN.values(), *OUT.values())] * 5
    pasted = "\n".join(
        f"MobileMoney\n10:04 AM\n{text}" if at % 3 else f"\n{text}\n"
        for at, text in enumerate(texts)
    )
    found = reading.read(pasted)
    assert (len(found.messages), found.unread, found.left) == (len(texts), (), ())
    assert found.messages[0].transaction_id == "88100000923"


def test_more_than_the_limit_is_left() -> None:
    found = reading.read("\n".join([MTN] * (reading.MOST + 3)))
    assert (len(found.messages), len(found.left)) == (reading.MOST, 3)


def test_what_comes_out_of_a_chat_says_so() -> None:
    for before in ("[10:04, 30/11/2026] Ama: ", "30/11/2026, 10:04 - Ama Data: "):
        (one,) = reading.read(before + MTN).messages
        assert one.is_from_chat and one.transaction_id == "88100000923"


@pytest.mark.parametrize(
    "text",
    [
        f"[10:04, 30/11/2026] Ama: hello\n{MTN}",
        f"30/11/2026, 10:04 - Ama Data: hello\n\n\n{MTN}",
        f"> [10:04, 30/11/2026] Ama: hello\nMobileMoney\n{MTN}",
        f"{MTN}\n[10:04, 30/11/2026] Ama: did you see it?",
    ],
)
def test_a_broken_line_does_not_lead_out_of_a_chat(text: str) -> None:
    (one,) = reading.read(text).messages
    assert one.is_from_chat


def test_an_inbox_is_no_chat() -> None:
    found = reading.read(f"MobileMoney\n10:04 AM\n{MTN}\nhello\n{MTN}")
    assert [one.is_from_chat for one in found.messages][:1] == [False]


@pytest.mark.parametrize("line", ["ab", "x" * 80, "1 Confirmed"])
def test_a_long_text_is_cut_where_it_is_too_long_for_a_message(line: str) -> None:
    """What is joined stays short, so the work grows as the text does."""
    many = 3_000_000 // len(line) // 10
    found = reading.read("\n".join([line] * many))
    most = reading.LONGEST + len(line) + 1
    blocks = (*found.unread, *found.left)
    assert not found.messages and max(map(len, blocks)) <= most
    assert sum(block.count(line) for block in blocks) == many


def test_a_message_after_a_long_text_is_read() -> None:
    found = reading.read("\n".join(["x" * 80] * 20) + f"\n{MTN}")
    assert len(found.messages) == 1


@pytest.mark.parametrize(
    "text",
    [
        (
            "Payment received for GHS 500.00 from KWAME SAMPLE. Current Balance: GHS 520.00."
            " Reference: 2948201938. Please refund mistakenly sent funds immediately."
        ),
        "Your wallet is blocked. Send GHS 20.00 to 0241110000 to open it.",
        # the payer writes a second payment into his reference
        MTN.replace("482913", "1. Transaction ID: 999999999. TRANSACTION FEE: 0.00"),
        MTN + " " + MTN,
        MTN.replace("482913", "1 Current Balance: GHS 9.00"),
        MTN + " Your new balance is GHS 9,000.00",
        MTN.replace("24.00", "0.00", 1),
        MTN.replace("GHS 24.00", "USD 24.00"),
        MTN.replace("GHS 24.00", "GHS 24"),
        MTN.replace("GHS 24.00", "GHS 9000000.00"),
        MTN.replace("Transaction ID: 88100000923.", ""),
        IN["Telecel, from MTN"][0].replace("2026-11-05", "2026-13-45"),
        "x" * 60_000,
        "ab cd\0ef",
    ],
)
def test_what_is_of_no_known_shape_is_shown_and_never_guessed(text: str) -> None:
    found = reading.read(text)
    assert not found.messages and len(found.unread) == 1


@pytest.mark.parametrize("fee", ["1.21", "24.00", "24.01", "9,999.00"])
def test_money_that_came_with_a_large_fee_is_of_no_known_shape(fee: str) -> None:
    """Its balance before would be whatever its writer likes."""
    found = reading.read(MTN.replace("FEE: 0.00", f"FEE: {fee}"))
    assert not found.messages and len(found.unread) == 1


def test_a_small_fee_of_money_that_came_is_read() -> None:
    (one,) = reading.read(MTN.replace("FEE: 0.00", "FEE: 1.20")).messages
    assert one.fee_pesewas == 120


def test_marks_that_nobody_sees_are_no_hindrance() -> None:
    marked = "\u202a" + MTN.replace(" ", "\N{NO-BREAK SPACE}", 3) + "\u202c\u200f"
    assert reading.read(marked).messages == reading.read(MTN).messages


@given(st.text(max_size=400))
@settings(max_examples=80, deadline=None)
def test_no_text_breaks_it_and_no_word_is_lost(text: str) -> None:
    found = reading.read(text)
    assert not found.messages
    shown = " ".join(found.unread).split()
    for line in text_input.visible(text).replace("\0", " ").splitlines():
        if not formats.SENDERS.fullmatch(" ".join(line.split()).strip(reading._QUOTES)):
            assert [word for word in line.split() if word not in shown] == []


AMOUNTS = st.integers(min_value=1, max_value=10_000_000)
NAMES = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ -'", min_size=1, max_size=40).filter(
    lambda name: name.strip(" -'") and not name.startswith((" ", "-", "'"))
)
REFERENCES = st.text("abcdefghijklmnopqrstuvwxyz0123456789 ", min_size=0, max_size=60)


@given(AMOUNTS, AMOUNTS, NAMES, REFERENCES, st.integers(10**9, 10**12))
@settings(max_examples=80, deadline=None)
def test_what_was_written_is_what_is_read(
    amount: int, balance: int, name: str, reference: str, transaction: int
) -> None:
    def cedis(pesewas: int) -> str:
        return f"GHS {pesewas // 100:,}.{pesewas % 100:02}"

    text = (
        f"Payment received for {cedis(amount)} from {name} Current Balance: {cedis(balance)} ."
        f" Available Balance: {cedis(balance)}. Reference: {reference}. Transaction ID:"
        f" {transaction}. TRANSACTION FEE: 0.00"
    )
    found = reading.read(text)
    forbidden = ("trans", "ghs", "confirmed")
    if any(word in reference for word in forbidden) or "TRANSACTION" in name:
        return
    if "BALANCE" in name or "GHS" in name:
        return
    (one,) = found.messages
    said: tuple[Any, ...] = (
        one.amount_pesewas,
        one.balance_pesewas,
        one.transaction_id,
    )
    assert said == (amount, balance, str(transaction))
    assert one.reference == " ".join(reference.split())
    assert one.payer_name == " ".join(name.split()).strip(" -.,()/–")
