"""What Paystack holds, settles, knows of accounts, and is asked about disputes.

Decides which path and body each call has. What answers mean is decided in `money` and `disputes`.
"""

from __future__ import annotations

from urllib.parse import urlencode

from integrations.payment_shapes import (
    Bank,
    Holder,
    Holdings,
    LedgerLine,
    NotFound,
    Payment,
)
from integrations.payments_port import (
    ALL,
    Dispute,
    DisputeResult,
    Evidence,
    NotDone,
    Resolution,
    Rows,
    Settlement,
    Span,
    Upload,
)
from integrations.paystack import disputes, money, payments
from integrations.paystack.asking import READ, Account, query, segment
from integrations.ports import NoAnswer

BANKS = 100
"""Paystack lists no more banks at once, and Ghana has fewer."""


class Records(Account):
    """The half of `Payments` that reads, and disputes."""

    def holdings(self) -> Holdings | NoAnswer:
        return self._get("balance", "/balance", money.holdings)

    def ledger(self, page: int = 1) -> Rows[LedgerLine] | NoAnswer:
        path = f"/balance/ledger?{query(ALL, page=page)}"
        return self._get("ledger", path, lambda r, now: money.ledger(r, now, page))

    def banks(self, kind: str = "mobile_money") -> Rows[Bank] | NoAnswer:
        asked = {"currency": "GHS", "type": kind, "perPage": BANKS}
        return self._get("banks", f"/bank?{urlencode(asked)}", money.banks)

    def holder(
        self, account_number: str, bank_code: str
    ) -> Holder | NotFound | NoAnswer:
        asked = {"account_number": account_number, "bank_code": bank_code}
        return self._get(
            "holder",
            f"/bank/resolve?{urlencode(asked)}",
            lambda reply, now: money.holder(reply, now, account_number),
        )

    def settlements(
        self, span: Span = ALL, page: int = 1
    ) -> Rows[Settlement] | NoAnswer:
        return self._get(
            "settlements",
            f"/settlement?{query(span, page=page)}",
            lambda reply, now: money.settlements(reply, now, page),
        )

    def settled_payments(
        self, settlement_id: str, page: int = 1
    ) -> Rows[Payment] | NoAnswer:
        return self._get(
            "settled_payments",
            f"/settlement/{segment(settlement_id)}/transactions?{query(ALL, page=page)}",
            lambda reply, now: money.rows(reply, now, payments.record, page),
        )

    def disputes(
        self, span: Span = ALL, after: str | None = None
    ) -> Rows[Dispute] | NoAnswer:
        path = f"/dispute?{query(span, use_cursor='true', next=after)}"
        return self._get("disputes", path, disputes.rows)

    def dispute(self, gateway_id: str) -> DisputeResult:
        return self._get(
            "dispute",
            f"/dispute/{segment(gateway_id)}",
            lambda reply, now: disputes.one(reply, now, gateway_id),
        )

    def dispute_upload(self, gateway_id: str, file_name: str) -> Upload | NotDone:
        """Where the file goes; whoever has it PUTs it there within half an hour."""
        asked = urlencode({"upload_filename": file_name})
        return disputes.unfit_file(file_name) or self._get(
            "dispute_upload",
            f"/dispute/{segment(gateway_id)}/upload_url?{asked}",
            lambda reply, now: disputes.upload(reply, now, self._addresses),
        )

    def put_file(self, where: Upload, file: bytes) -> str | NotDone:
        """Put a file of evidence where `dispute_upload` said. Our key does not go there."""
        return disputes.put(self._caller.put(where.url, file, READ), where.file_name)

    def dispute_evidence(self, gateway_id: str, said: Evidence) -> str | NotDone:
        """The number by which the answer names this evidence."""
        return disputes.unfit_evidence(said) or self._send(
            "dispute_evidence",
            f"/dispute/{segment(gateway_id)}/evidence",
            disputes.evidence_wire(said),
            disputes.evidence,
        )

    def resolve_dispute(self, gateway_id: str, answer: Resolution) -> Dispute | NotDone:
        return disputes.unfit_answer(answer) or self._send(
            "resolve_dispute",
            f"/dispute/{segment(gateway_id)}/resolve",
            disputes.answer_wire(answer),
            lambda reply, now: disputes.resolved(reply, now, gateway_id),
            method="PUT",
        )
