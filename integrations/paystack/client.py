"""One account at Paystack: taking money, giving it back, paying it out.

Decides which path, body and time each call has. What answers mean is decided beside it: `payments`,
`refunds`, `transfers`; what only informs, and disputes, are asked in `records`. When to call, and
what to do about an answer, is left to others.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from integrations.payment_shapes import (
    ChargeRequest,
    Done,
    NotFound,
    Payment,
    PaymentRequest,
    Prompt,
    RecipientRequest,
    Refund,
    RefundAccount,
    RefundRequest,
    Refunds,
    Transfer,
    TransferRequest,
)
from integrations.payments_port import (
    ALL,
    ChargeResult,
    NotDone,
    PaymentNews,
    PaymentResult,
    Payments,
    RecipientResult,
    RefundResult,
    Rows,
    Span,
    StartResult,
    TransferResult,
)
from integrations.paystack import payments, refunds, transfers, webhook
from integrations.paystack.asking import LONG, NAME, query, segment
from integrations.paystack.records import Records
from integrations.ports import NoAnswer


class Paystack(Records, Payments):
    """`Payments` by Paystack."""

    name = NAME

    # Taking money

    def initialise(self, request: PaymentRequest) -> StartResult:
        ref = request.reference
        return payments.unfit(request) or self._send(
            "initialise",
            "/transaction/initialize",
            payments.page_wire(request),
            lambda reply, now: payments.started(reply, now, ref, self._addresses),
            ref,
        )

    def verify(self, reference: str) -> PaymentResult:
        return self._get(
            "verify",
            f"/transaction/verify/{segment(reference)}",
            lambda reply, now: payments.payment(reply, now, reference),
            reference,
        )

    def charge(self, request: ChargeRequest) -> ChargeResult:
        ref = request.reference
        refusal = payments.unfit(request)
        if refusal:
            return refusal
        body = payments.prompt_wire(request)
        return self._send(
            "charge",
            "/charge",
            body,
            lambda reply, now: payments.charged(reply, now, ref),
            ref,
            timeouts=LONG,
        )

    def submit_otp(self, reference: str, otp: str) -> ChargeResult:
        return self._send(
            "submit_otp",
            "/charge/submit_otp",
            {"otp": otp, "reference": reference},
            lambda reply, now: payments.charged(reply, now, reference, of_otp=True),
            reference,
            timeouts=LONG,
        )

    def pending_charge(self, reference: str) -> Prompt | NotFound | NoAnswer:
        return self._get(
            "pending_charge",
            f"/charge/{segment(reference)}",
            lambda reply, now: payments.pending(reply, now, reference),
            reference,
        )

    def payment(self, gateway_id: str) -> PaymentResult:
        return self._get(
            "payment",
            f"/transaction/{segment(gateway_id)}",
            lambda reply, now: payments.payment_by_id(reply, now, gateway_id),
        )

    def payments(
        self, span: Span = ALL, after: str | None = None
    ) -> Rows[Payment] | NoAnswer:
        path = f"/transaction?{query(span, use_cursor='true', next=after)}"
        return self._get("payments", path, payments.rows)

    # Giving back

    def refund(self, request: RefundRequest) -> RefundResult:
        return refunds.unfit(request) or self._send(
            "refund",
            "/refund",
            refunds.wire(request),
            lambda reply, now: refunds.taken(reply, now, request),
            request.payment_reference,
            timeouts=LONG,
        )

    def refund_again(self, gateway_id: str, account: RefundAccount) -> RefundResult:
        return refunds.unfit_account(account) or self._send(
            "refund_again",
            f"/refund/retry_with_customer_details/{segment(gateway_id)}",
            refunds.account_wire(account),
            lambda reply, now: refunds.again(reply, now, gateway_id),
            timeouts=LONG,
        )

    def refund_record(self, gateway_id: str) -> Refund | NotFound | NoAnswer:
        return self._get(
            "refund_record",
            f"/refund/{segment(gateway_id)}",
            lambda reply, now: refunds.one(reply, now, gateway_id),
        )

    def refunds_of(self, payment_id: str) -> Refunds | NoAnswer:
        query = urlencode({"transaction": payment_id, "perPage": refunds.PAGE})
        return self._get(
            "refunds_of",
            f"/refund?{query}",
            lambda reply, now: refunds.of_payment(reply, now, payment_id),
        )

    # Paying out

    def recipient(self, request: RecipientRequest) -> RecipientResult:
        return self._send(
            "recipient",
            "/transferrecipient",
            transfers.recipient_wire(request),
            lambda reply, now: transfers.recipient(reply, now, request),
        )

    def transfer(self, request: TransferRequest) -> TransferResult:
        ref = request.reference
        return transfers.unfit(request) or self._send(
            "transfer",
            "/transfer",
            transfers.wire(request),
            lambda reply, now: transfers.taken(reply, now, ref),
            ref,
            timeouts=LONG,
        )

    def verify_transfer(self, reference: str) -> Transfer | NotFound | NoAnswer:
        return self._get(
            "verify_transfer",
            f"/transfer/verify/{segment(reference)}",
            lambda reply, now: transfers.one(reply, now, reference),
            reference,
        )

    def finalise_transfer(self, transfer_code: str, otp: str) -> TransferResult:
        return self._send(
            "finalise_transfer",
            "/transfer/finalize_transfer",
            {"transfer_code": transfer_code, "otp": otp},
            lambda reply, now: transfers.finalised(reply, now, transfer_code),
            timeouts=LONG,
        )

    def resend_otp(self, transfer_code: str) -> Done | NotDone:
        body = {"transfer_code": transfer_code, "reason": "transfer"}
        return self._send("resend_otp", "/transfer/resend_otp", body, transfers.resent)

    def read_event(self, body: bytes, headers: Mapping[str, str]) -> PaymentNews:
        """What a webhook asks to look up. No call, no record."""
        return webhook.read_event(body, headers, self._keys)
