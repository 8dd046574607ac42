"""What must hold, by name, looked at after every event of the simulation and once more at its end.

Fed by what commits write and by what reaches the supplier. The first invariant that breaks is kept
with its evidence; the run stops there.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

from sqlalchemy.exc import IntegrityError

from core.orders import FINAL
from tests.proofs.sim_journal import Listener, Row

if TYPE_CHECKING:
    from tests.proofs.sim_world import World

INVARIANTS = {
    "one_charge_per_order": "an order is bought once at most, over all references it ever had",
    "nothing_charged_is_lost": (
        "what the supplier charged for is in our books, or a person is asked"
    ),
    "no_refund_of_delivered_without_case": (
        "an order refunded or cancelled and yet delivered is a case"
    ),
    "books_sum_to_zero": "every posting sums to zero, and so do all accounts",
    "no_overdraft": "no wallet, no hold and nothing in flight is overdrawn",
    "one_hold_one_capture_or_release": (
        "one hold, and one capture or one release, as the state says"
    ),
    "final_stays_final": "a final order keeps its state",
    "one_purchase_in_flight": "one purchase at a time on the supplier's wallet",
    "claimed_before_sent": "no call begins without a claim that was committed before it",
    "no_send_after_lease": "no call begins after its claim's lease",
    "one_reference": (
        "an order keeps its reference once an attempt was unclear, and no two share one"
    ),
    "calls_within_budget": "no more calls in any window than the supplier allows",
    "no_error_of_ours": "no job ends in an error of ours",
    "everything_terminal_or_in_case": "at the end every order is final, or a person is asked",
    "float_equals_supplier_balance": (
        "at the end our float is the supplier's balance, but for what cases name"
    ),
}
_GUARDS = {
    "ck_accounts_no_overdraft": "no_overdraft",
    "ck_accounts_in_flight": "no_overdraft",
    "uq_postings_order_kind_n": "one_hold_one_capture_or_release",
    "uq_postings_resolved": "one_hold_one_capture_or_release",
    "uq_orders_order_ref": "one_reference",
}
"""Constraints of the database, and the invariant that each guards."""
SUPPLIER_ALLOWS_MORE = 10
"""The supplier allows 60 calls a window where we allow ourselves 50: a call taken in one window may
be made in the next."""


class Checks:
    """Keeps what the invariants need. `broken` is the first that broke: its name and the
    evidence."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.broken: tuple[str, str] | None = None
        self.ignored: frozenset[str] = frozenset()
        self.purchases: Counter[int] = Counter()
        self._order_of: dict[str, int] = {}
        self._postings: dict[int, Counter[str]] = {}
        self._sums: Counter[int] = Counter()
        self._total = 0
        self._changed: set[int] = set()
        self._calls: deque[float] = deque()

    def breaks(self, invariant: str, evidence: str) -> None:
        assert invariant in INVARIANTS
        if self.broken is None and invariant not in self.ignored:
            self.broken = (invariant, evidence)

    def knows(self, order_id: int, recipient: str) -> None:
        self._order_of[recipient] = order_id
        self._postings[order_id] = Counter()

    # What commits write

    def listeners(self) -> dict[str, Listener]:
        """Who is told of which table."""
        return {
            "orders": self._order,
            "accounts": self._account,
            "postings": self._posting,
            "entries": self._entry,
        }

    def refused(self, who: str, refused: IntegrityError) -> None:
        """A process ends because the database would not take what it wrote."""
        rule = getattr(getattr(refused.orig, "diag", None), "constraint_name", None)
        self.breaks(
            _GUARDS.get(rule or "", "no_error_of_ours"), f"{who}: {refused.orig}"
        )

    def _order(self, before: Row | None, after: Row) -> None:
        if before is None:
            return
        if before["state"] != after["state"]:
            self._changed.add(after["id"])
            if before["state"] in FINAL:
                self.breaks(
                    "final_stays_final",
                    f"order {after['id']}: {before['state']} -> {after['state']}",
                )
        if before["order_ref"] != after["order_ref"] and before["ever_unknown"]:
            self.breaks(
                "one_reference",
                f"order {after['id']}: {before['order_ref']} -> {after['order_ref']}",
            )

    def _account(self, before: Row | None, after: Row) -> None:
        balance = after["balance_pesewas"]
        self._total += balance - (before["balance_pesewas"] if before else 0)
        if (after["name"] in ("wallet", "held") and balance > 0) or (
            after["name"] == "in_flight" and balance < 0
        ):
            self.breaks("no_overdraft", f"{after['name']} at {balance}")

    def _posting(self, _before: Row | None, after: Row) -> None:
        if after["order_id"] is not None:
            self._postings[after["order_id"]][after["kind"]] += 1
            self._changed.add(after["order_id"])

    def _entry(self, _before: Row | None, after: Row) -> None:
        self._sums[after["posting_id"]] += after["amount_pesewas"]

    # What reaches the supplier

    def sent(self, refs: list[str]) -> None:
        """A purchase call begins."""
        world = self.world
        by_ref = {row["order_ref"]: row for row in world.store.orders()}
        for ref in refs:
            row = by_ref.get(ref)
            if row is None or row["state"] != "submitting" or row["claimed_at"] is None:
                said = (
                    "nobody's"
                    if row is None
                    else f"of order {row['id']}, which is {row['state']}"
                )
                self.breaks("claimed_before_sent", f"{ref} is sent, {said}")
                continue
            mark = row["steady_marks"].get(world.boot)
            if (
                mark is None
                or world.steady() >= mark["claimed"] + world.settings.send_lease_s
            ):
                self.breaks(
                    "no_send_after_lease", f"order {row['id']} is sent after its lease"
                )

    def in_flight(self, purchases: int) -> None:
        if purchases > 1:
            self.breaks("one_purchase_in_flight", f"{purchases} purchases at once")

    def charged(self, recipient: str, order_ref: str) -> None:
        order_id = self._order_of[recipient]
        self.purchases[order_id] += 1
        if self.purchases[order_id] > 1:
            self.breaks(
                "one_charge_per_order",
                f"order {order_id} is charged again, now as {order_ref}",
            )

    def called(self) -> None:
        now, calls = self.world.time, self._calls
        calls.append(now)
        while calls[0] <= now - self.world.settings.rate_window_s:
            calls.popleft()
        if len(calls) > self.world.settings.rate_calls + SUPPLIER_ALLOWS_MORE:
            self.breaks("calls_within_budget", f"{len(calls)} calls in a window")

    def clock_jumped(self) -> None:
        """The budget is kept by the wall clock, so a jump may lose a window; the supplier's 429 is
        the second wall."""
        self._calls.clear()

    # After every event, and at the end

    def after_event(self) -> None:
        if self._sums:
            for posting, total in self._sums.items():
                if total:
                    self.breaks(
                        "books_sum_to_zero", f"posting {posting} sums to {total}"
                    )
            self._sums.clear()
            if self._total:
                self.breaks(
                    "books_sum_to_zero", f"all accounts together are {self._total}"
                )
        for order_id in sorted(self._changed):
            self._settled_once(order_id)
        self._changed.clear()

    def _settled_once(self, order_id: int) -> None:
        row, postings = self.world.store.order(order_id), self._postings[order_id]
        holds, ends = postings["hold"], postings["capture"] + postings["release"]
        state = row["state"]
        wanted = {
            "pending": (0, 0),
            "completed": (1, postings["capture"]),
            "refunded": (1, postings["release"]),
            "cancelled": (holds, postings["release"]),
        }.get(state, (1, 0))
        is_over = (
            1
            if state in ("completed", "refunded")
            else holds
            if state == "cancelled"
            else 0
        )
        if (holds, ends) != wanted or ends != is_over or holds > 1:
            self.breaks(
                "one_hold_one_capture_or_release",
                f"order {order_id} is {state} with {dict(postings)}",
            )

    def at_the_end(self) -> None:
        """Everything the supplier knows has been told to us, and time has passed."""
        asked = self.world.asked_about()
        theirs: Counter[int] = Counter()
        delivered: set[int] = set()
        for records in self.world.supplier.records.values():
            for record in records:
                order_id = self._order_of[record.recipient]
                theirs[order_id] += record.paid
                if record.status == "completed":
                    delivered.add(order_id)
        unequal: dict[int, int] = {}
        for row in self.world.store.orders():
            order_id, state = row["id"], row["state"]
            ours = self.world.store.paid(order_id)
            if state not in FINAL and order_id not in asked:
                self.breaks(
                    "everything_terminal_or_in_case",
                    f"order {order_id} is {state}, and nobody is asked",
                )
            if (
                state in ("refunded", "cancelled")
                and order_id in delivered
                and order_id not in asked
            ):
                self.breaks(
                    "no_refund_of_delivered_without_case",
                    f"order {order_id} is {state} and delivered",
                )
            if theirs[order_id] != ours:
                unequal[order_id] = ours - theirs[order_id]
        self._nothing_is_lost(unequal, asked)
        # Charges that differ from the price, and together add up to a few pesewas, are booked as
        # rounding until they are known one by one: then each is a case, and when those are settled
        # the rounding is taken back by itself.
        explained = (
            sum(unequal.values())
            + self.world.unconfirmed_pesewas
            - self.world.store.rounded_pesewas()
        )
        balance, float_now = (
            self.world.supplier.balance_pesewas,
            self.world.store.float_pesewas(),
        )
        if balance - float_now != explained:
            self.breaks(
                "float_equals_supplier_balance",
                f"the supplier has {balance}, our float is {float_now}, cases explain {explained}",
            )

    def _nothing_is_lost(self, unequal: dict[int, int], asked: set[int]) -> None:
        """Each difference of an order (ours less theirs) is asked about; or it stands in another's
        place.

        The supplier does not say for which order money came back. Of failed orders of one amount
        the oldest stand for those whose money its balance shows, so that our books may have the
        money of this one back while it was another that got it. Somebody is asked about that other
        one; or about orders whose money did come back, and when they are settled the balance shows
        the rest; or, when nothing hides it, about the balance itself.
        """
        store = self.world.store
        hidden_by = sum(
            difference
            for order_id, difference in unequal.items()
            if order_id in asked and difference > 0
        )
        alone = {
            order_id: difference
            for order_id, difference in unequal.items()
            if order_id not in asked
        }
        is_asked = store.buying_is_stopped() or -sum(alone.values()) <= hidden_by
        for order_id, difference in alone.items():
            alike = (
                row["id"]
                for row in store.orders()
                if row["id"] in asked and row["charged_pesewas"] == -difference
            )
            seen_back = store.count_postings(order_id, "supplier_refund") > 0
            if difference < 0 and seen_back and (is_asked or any(alike)):
                self.world.count("stood for another")
                continue
            self.breaks(
                "nothing_charged_is_lost",
                f"order {order_id} is {store.order(order_id)['state']}: its booked charge is off by"
                f" {difference}, and nobody is asked",
            )
