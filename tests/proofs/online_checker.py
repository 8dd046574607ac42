"""The judge of a run with online payments, in a process of its own: what the gateway and the supplier
have written themselves, against our rows and books.

    python -m tests.proofs.online_checker RUN.json

Names each invariant, held or broken, with what shows it. Prints one report, writes it beside
RUN.json, and exits 1 when anything is broken.
"""

from __future__ import annotations

import bisect
import json
import sqlite3
import sys
import textwrap
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from core.base.fixed import FixedLimits
from tests.proofs import diary
from tests.proofs.checker import FINAL

SHOWN = 6
OUTAGE_S = 30.0
"""How much later than its ladder a payment may come in, outages not counted: a look without an
answer is made again, and others stand before it. Not scaled."""
STOPS = ("payments", "supervise", "relay", "valkey", "postgres", "freeze", "flush")
LADDER_LOOKS = 2
"""The first look after a payment may meet a gateway that does not answer."""
OPEN_REFUNDS = ("requested", "submitting", "open")
OPEN_PAYOUTS = ("approved", "submitting", "in_transit")
UNPAID = ("awaiting_payment", "cancelled", "expired")
ENDED = ("paid", "failed", "refused", "ended")
"""Attempts that are over; those that are *watched* have a look to come."""

INVARIANTS = {
    "paid_is_taken": "each payment that succeeded at the gateway is in our books, or in a case",
    "beyond_the_ladder": "none was paid and pending for longer than its ladder",
    "one_delivery": "no order was bought twice at the supplier",
    "paid_before_delivered": "no order went on, or was bought, that nobody has paid whole in cedis",
    "order_has_an_end": "each order is final, or in a case",
    "lost_order": "each order that a customer was shown exists",
    "attempt_has_an_end": "each attempt is over, or has a look to come",
    "one_refund": "no payment went back twice, nor more of it than came in",
    "refund_is_ours": "each refund at the gateway is a row of ours, and each done row is one there",
    "owed_goes_back": "each paid order that ended undelivered has its money on its way back",
    "one_payout": "each payout is one transfer at the gateway, of its amount, or none",
    "payout_is_ours": "each transfer at the gateway is a payout of ours",
    "payout_has_an_end": "no payout is on its way when all is over",
    "ledger": "all entries, and those of each posting, sum to zero; each balance is its entries' sum",
    "self_proof": "the proof of the books finds nothing",
    "gateway_account": "the gateway account is the gateway's own books, but for named causes",
    "case_reason": "each case has a reason that this run makes",
    "enough_happened": "all kills, acts, faults, fates, refunds and payouts that were planned happened",
}
REASONS = frozenset(
    {
        "paid_late",
        "paid_twice",
        "paid_short",
        "paid_unfit",
        "late_success",
        "contradiction",
        "unknown_too_long",
        "never_fulfilled",
        "supplier_money",
        "resend_limit",
    }
)


@dataclass
class Findings:
    """What was found, by invariant."""

    broken: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def must(self, invariant: str, holds: object, said: str) -> None:
        assert invariant in INVARIANTS, invariant
        if not holds:
            self.broken[invariant].append(said)


class Theirs:
    """The gateway's memory and the supplier's charge file, as they stand on disk."""

    def __init__(self, gateway_db: Path, charge_file: Path) -> None:
        with sqlite3.connect(f"file:{gateway_db}?mode=ro", uri=True) as memory:
            rows = memory.execute(
                "SELECT id, kind, reference, of, at, doc FROM things WHERE world = 'test'"
            ).fetchall()
            self.books = dict(
                memory.execute(
                    "SELECT kind, sum(amount) FROM books WHERE world = 'test' GROUP BY kind"
                ).fetchall()
            )
            self.webhooks = dict(
                memory.execute(
                    "SELECT state, count(*) FROM hooks GROUP BY state"
                ).fetchall()
            )
        things: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
        for number, kind, reference, of, at, doc in rows:
            found = {"id": number, "reference": reference, "of": of, "at": at}
            things[kind][reference] = found | json.loads(doc)
        self.payments = things["payment"]
        self.paid = {
            reference: row
            for reference, row in self.payments.items()
            if row["paid_at"] is not None
        }
        self.transfers = things["transfer"]
        self.refunds: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for row in things["refund"].values():
            self.refunds[row["of"]].append(row)
        lines = [
            json.loads(line)
            for line in charge_file.read_text(encoding="utf-8").splitlines()
        ]
        self.bought = Counter(
            line["reference"]
            for line in lines
            if line["kind"] == "charge" and line["cause"] == "purchase"
        )

    def refunded(self, payment: dict[str, Any]) -> list[dict[str, Any]]:
        """The refunds of a payment that took money."""
        return [row for row in self.refunds[payment["id"]] if row["status"] != "failed"]

    @property
    def holds(self) -> int:
        """What it has, with what was there before us."""
        return sum(self.books.values())


class Ours:
    """One snapshot of our database."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        def rows(query: str) -> list[dict[str, Any]]:
            return connection.execute(query).fetchall()

        self.orders = {row["id"]: row for row in rows("SELECT * FROM orders")}
        self.attempts = {
            row["reference"]: row
            for row in rows(
                "SELECT p.*, o.done_at IS NULL AND o.id IS NOT NULL AS is_watched FROM"
                " online_payments p LEFT JOIN outbox o ON o.kind = 'watch_payment' AND"
                " o.subject_id = p.id"
            )
        }
        self.pays = {
            row["pays_order_id"]: row
            for row in self.attempts.values()
            if row["pays_order_id"] is not None
        }
        self.refunds = rows(
            "SELECT r.*, p.reference FROM gateway_refunds r JOIN online_payments p ON p.id ="
            " r.payment_id"
        )
        self.payouts = {row["reference"]: row for row in rows("SELECT * FROM payouts")}
        self.cases = rows(
            "SELECT kind, order_id, subject, evidence FROM cases WHERE closed_at IS NULL"
        )
        self.settled_cases = Counter(
            row["kind"]
            for row in rows("SELECT kind FROM cases WHERE closed_at IS NOT NULL")
        )
        self.balances = {
            row["name"]: row["pesewas"]
            for row in rows(
                "SELECT name, sum(balance_pesewas)::bigint AS pesewas FROM accounts GROUP BY name"
            )
        }
        self.total, self.entries = rows(
            "SELECT coalesce(sum(amount_pesewas), 0)::bigint AS n, count(*) AS of FROM entries"
        )[0].values()
        self.unbalanced = rows(
            "SELECT posting_id FROM entries GROUP BY 1 HAVING sum(amount_pesewas) <> 0"
        )
        self.drifted = rows(
            "SELECT a.name FROM accounts a WHERE a.balance_pesewas <> (SELECT"
            " coalesce(sum(e.amount_pesewas), 0) FROM entries e WHERE e.account_id = a.id)"
        )
        self.topped_up_pesewas = rows(
            "SELECT coalesce(sum(e.amount_pesewas), 0)::bigint AS n FROM entries e JOIN postings p"
            " ON p.id = e.posting_id JOIN accounts a ON a.id = e.account_id WHERE p.kind ="
            " 'top_up' AND a.name = 'gateway'"
        )[0]["n"]
        self.called_at = [
            row["at"].timestamp()
            for row in rows(
                "SELECT at FROM supplier_calls WHERE supplier = 'paystack' AND endpoint IN"
                " ('initialise', 'verify') ORDER BY at"
            )
        ]
        self.calls = {
            row["endpoint"]: row["n"]
            for row in rows(
                "SELECT endpoint, count(*) AS n FROM supplier_calls WHERE supplier = 'paystack'"
                " GROUP BY 1"
            )
        }
        self.in_case = {row["order_id"] for row in self.cases}
        self.asked_about = {row["subject"] for row in self.cases}


def check(run: dict[str, Any], theirs: Theirs, ours: Ours) -> Findings:
    """Judge one run."""
    found = Findings()
    _payments(run, theirs, ours, found)
    _orders(run, theirs, ours, found)
    _refunds(theirs, ours, found)
    _payouts(theirs, ours, found)
    _books(run, theirs, ours, found)
    _happened(run, theirs, ours, found)
    return found


def _payments(run: dict[str, Any], theirs: Theirs, ours: Ours, found: Findings) -> None:
    down = outages(run, ours)
    for reference, there in theirs.paid.items():
        here = ours.attempts.get(reference)
        if here is None:
            found.must("paid_is_taken", False, f"{reference} is no attempt of ours")
            continue
        is_fit = there.get("currency", "GHS") == "GHS"
        asked = f"payment:{here['id']}" in ours.asked_about
        taken = (
            here["state"] == "paid" if is_fit else asked and here["state"] == "refused"
        )
        found.must("paid_is_taken", taken, f"{reference} is {here['state']}")
        if is_fit and here["paid_at"] is not None:
            late = late_s(run, there, here, down)
            found.must(
                "beyond_the_ladder", late <= 0, f"{reference}: {late:.0f} s beyond it"
            )
    for reference, here in ours.attempts.items():
        is_over = here["state"] in ENDED or here["is_watched"]
        found.must(
            "attempt_has_an_end",
            is_over and here["state"] not in ("asked", "open"),
            f"{reference} is {here['state']}",
        )
        if here["state"] == "paid":
            found.must(
                "paid_is_taken",
                reference in theirs.paid,
                f"{reference} is paid by our books alone",
            )


def looks(run: dict[str, Any], created: float) -> list[float]:
    """The moments at which an attempt is looked at by its ladders alone."""
    scale = run["scale"]
    end = run["expires_s"]
    steps = [one for one in run["ladder_s"] if one < end]
    steps += [end, *(end + one for one in run["watch_ladder_s"])]
    return [created + one / scale for one in steps]


def outages(run: dict[str, Any], ours: Ours) -> list[tuple[float, float]]:
    """When nobody could look after payments: from each death until a payment was asked for or looked
    up again, and then as long as the lease that the dead have left on a row. How long a process
    takes to start is the machine's, not the ladder's."""
    found = []
    lease_s = FixedLimits.job_timeout_s / run["scale"]
    for line in diary.read(Path(run["diary"])):
        if line["what"] in STOPS or line.get("kind") in STOPS:
            back = bisect.bisect(ours.called_at, line["at"])
            if back < len(ours.called_at):
                found.append((line["at"], ours.called_at[back] + lease_s))
    merged: list[tuple[float, float]] = []
    for begin, end in sorted(found):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged


def late_s(
    run: dict[str, Any],
    there: dict[str, Any],
    here: dict[str, Any],
    down: list[tuple[float, float]],
) -> float:
    """How much later than its ladder a payment came into our books, outages not counted; below 0:
    not later."""
    after = [
        moment
        for moment in looks(run, here["created_at"].timestamp())
        if moment > there["paid_at"]
    ]
    if len(after) < LADDER_LOOKS:
        return -1.0
    taken_at = here["paid_at"].timestamp()
    stood_s = sum(
        max(0.0, min(end, taken_at) - max(begin, there["paid_at"]))
        for begin, end in down
    )
    return float(taken_at - stood_s - after[LADDER_LOOKS - 1] - OUTAGE_S)


def _orders(run: dict[str, Any], theirs: Theirs, ours: Ours, found: Findings) -> None:
    codes = {row["code"]: row for row in ours.orders.values()}
    for line in diary.read(Path(run["diary"])):
        if line["what"] == "placed":
            found.must("lost_order", line["code"] in codes, line["code"])
    for order in ours.orders.values():
        name = f"{order['code']} ({order['state']})"
        has_end = order["state"] in FINAL or order["id"] in ours.in_case
        found.must("order_has_an_end", has_end, name)
        times = theirs.bought[order["order_ref"]]
        found.must("one_delivery", times <= 1, f"{name}: {times} times")
        paid = ours.pays.get(order["id"])
        there = theirs.paid.get(paid["reference"]) if paid else None
        if times or order["state"] not in UNPAID:
            is_whole = (
                there is not None
                and there["charged"] >= order["price_pesewas"]
                and there["amount"] == order["price_pesewas"]
                and there.get("currency", "GHS") == "GHS"
            )
            found.must("paid_before_delivered", is_whole, name)
        if order["state"] in ("cancelled", "refunded") and paid and not times:
            found.must("owed_goes_back", _went(paid, ours), name)
        if order["state"] == "refunded" and paid:
            found.must("owed_goes_back", _went(paid, ours), name)
    strangers = set(theirs.bought) - {o["order_ref"] for o in ours.orders.values()}
    found.must("one_delivery", not strangers, f"bought for nobody: {strangers}")


def _went(paid: dict[str, Any], ours: Ours) -> bool:
    return any(
        row["payment_id"] == paid["id"] and row["state"] in (*OPEN_REFUNDS, "done")
        for row in ours.refunds
    )


def _refunds(theirs: Theirs, ours: Ours, found: Findings) -> None:
    known = {row["gateway_refund_id"]: row for row in ours.refunds}
    for payment in theirs.paid.values():
        back = theirs.refunded(payment)
        whole = sum(row["amount"] for row in back)
        here = ours.attempts.get(payment["reference"], {})
        said = (
            f"{payment['reference']}: {len(back)} of {whole} for {payment['charged']}"
        )
        found.must("one_refund", whole <= payment["charged"], said)
        found.must("one_refund", len(back) <= 1, said)
        for row in theirs.refunds[payment["id"]]:
            is_ours = row["id"] in known and known[row["id"]]["payment_id"] == here.get(
                "id"
            )
            found.must("refund_is_ours", is_ours, said)
    every = {row["id"]: row for rows in theirs.refunds.values() for row in rows}
    for row in ours.refunds:
        said = f"{row['reference']}, refund {row['n']}, is {row['state']}"
        found.must("refund_is_ours", row["state"] not in OPEN_REFUNDS, said)
        if row["state"] == "done":
            there = every.get(row["gateway_refund_id"])
            is_there = there is not None and there["status"] == "processed"
            is_there = is_there and there["amount"] == row["amount_pesewas"]  # type: ignore[index]
            found.must("refund_is_ours", is_there, said)


def _payouts(theirs: Theirs, ours: Ours, found: Findings) -> None:
    for reference, there in theirs.transfers.items():
        here = ours.payouts.get(reference)
        if here is None:
            found.must("payout_is_ours", False, f"{reference} of {there['amount']}")
            continue
        same = there["amount"] == here["amount_pesewas"]
        found.must("one_payout", same, f"{reference}: {there['amount']} went")
    for reference, here in ours.payouts.items():
        is_open = here["state"] in OPEN_PAYOUTS
        said = f"{reference} is {here['state']}"
        found.must("payout_has_an_end", not is_open, said)
        there = theirs.transfers.get(reference)
        went = there is not None and there["status"] == "success"
        found.must("one_payout", is_open or went == (here["state"] == "paid"), said)
    paid = sum(
        row["amount_pesewas"] for row in ours.payouts.values() if row["state"] == "paid"
    )
    sent = sum(
        row["amount"] for row in theirs.transfers.values() if row["status"] == "success"
    )
    found.must("one_payout", paid == sent, f"{paid} by our books, {sent} went")


def causes(theirs: Theirs, ours: Ours) -> dict[str, int]:
    """Why the gateway may hold another sum than our account says, each with its pesewas."""
    found: Counter[str] = Counter()
    for reference, there in theirs.paid.items():
        here = ours.attempts.get(reference)
        if here is None or here["state"] != "paid":
            found["not taken"] += there["charged"] - there["fees"]
        elif here["fees_pesewas"] is None:
            found["fee not known"] -= there["fees"]
    done = {row["gateway_refund_id"] for row in ours.refunds if row["state"] == "done"}
    for rows in theirs.refunds.values():
        for row in rows:
            if row["status"] != "failed" and row["id"] not in done:
                found["refund under way"] -= row["amount"]
    for reference, there in theirs.transfers.items():
        here = ours.payouts.get(reference)
        is_paid = here is not None and here["state"] == "paid"
        if there["status"] in ("pending", "success") and not is_paid:
            found["payout under way"] -= there["amount"] + there["fee"]
    if before := theirs.books.get("topped_up", 0) - ours.topped_up_pesewas:
        found["there before us, and not booked"] = before
    if settled := theirs.books.get("settled"):
        found["settled"] += settled
    return {name: pesewas for name, pesewas in found.items() if pesewas}


def _books(run: dict[str, Any], theirs: Theirs, ours: Ours, found: Findings) -> None:
    found.must("ledger", ours.total == 0, f"all entries sum to {ours.total}")
    found.must("ledger", not ours.unbalanced, f"unbalanced: {ours.unbalanced[:SHOWN]}")
    found.must("ledger", not ours.drifted, f"drifted: {ours.drifted[:SHOWN]}")
    found.must("self_proof", run["proof"]["status"] == 0, run["proof"]["said"])
    explained = causes(theirs, ours)
    account = ours.balances.get("gateway", 0)
    found.must(
        "gateway_account",
        theirs.holds == account + sum(explained.values()),
        f"it holds {theirs.holds}, our account is {account}, named: {explained}",
    )
    for case in ours.cases:
        found.must(
            "case_reason",
            case["kind"] in REASONS,
            f"{case['kind']} {case['subject']} {case['evidence'][-1:]}",
        )


def _happened(run: dict[str, Any], theirs: Theirs, ours: Ours, found: Findings) -> None:
    plan = run["plan"]
    seen = {
        "kills": len(run["kills"]),
        "paid": len(theirs.paid),
        "bought": sum(theirs.bought.values()),
        "refunds": sum(row["state"] == "done" for row in ours.refunds),
        "payouts": sum(row["state"] == "paid" for row in ours.payouts.values()),
        "lost webhooks": theirs.webhooks.get("dropped", 0),
        "kinds of faults": len(run["fired"]),
        **run["acts"],
    }
    for what, least in plan.items():
        count = seen.get(what, 0)
        found.must("enough_happened", count >= least, f"{what}: {count} of {least}")


def report(
    run: dict[str, Any], theirs: Theirs, ours: Ours, found: Findings
) -> dict[str, Any]:
    """The figures of a run."""
    written = diary.read(Path(run["diary"]))
    said = Counter(line["what"] for line in written)
    lateness = [
        here["paid_at"].timestamp() - there["paid_at"]
        for reference, there in theirs.paid.items()
        if (here := ours.attempts.get(reference)) and here["paid_at"] is not None
    ]
    named = {
        name: {"holds": name not in found.broken, "shows": found.broken.get(name, [])}
        for name in INVARIANTS
    }
    return {
        "seed": run["seed"],
        "mutant": run["mutant"],
        "scale": run["scale"],
        "placed": said["placed"],
        "fates": Counter(l["fate"] for l in written if l["what"] == "placed"),
        "orders": Counter(row["state"] for row in ours.orders.values()),
        "attempts": Counter(row["state"] for row in ours.attempts.values()),
        "paid_at_gateway": len(theirs.paid),
        "slowest_s": round(max(lateness, default=0.0), 1),
        "kills": Counter(kill["kind"] for kill in run["kills"]),
        "acts": run["acts"],
        "faults": run["fired"],
        "webhooks": theirs.webhooks,
        "calls": run["calls"],
        "calls_not_recorded": sum(run["calls"].values()) - sum(ours.calls.values()),
        "refunds": Counter(row["state"] for row in ours.refunds),
        "payouts": Counter(row["state"] for row in ours.payouts.values()),
        "bought": sum(theirs.bought.values()),
        "cases": Counter(row["kind"] for row in ours.cases),
        "cases_settled": ours.settled_cases,
        "gateway_holds": theirs.holds,
        "gateway_account": ours.balances.get("gateway", 0),
        "named_causes": causes(theirs, ours),
        "entries": ours.entries,
        "pages": {name: n for name, n in said.items() if name.startswith("answer_5")},
        "presses_unanswered": said["no_answer"],
        "times_s": run["times_s"],
        "invariants": named,
        "green": not found.broken,
    }


def told(figures: dict[str, Any]) -> str:
    """The report as a person reads it."""
    lines = []
    for name, value in figures.items():
        if name in ("invariants", "green"):
            continue
        if isinstance(value, dict):
            value = (
                ", ".join(f"{key} {n}" for key, n in sorted(value.items())) or "none"
            )
        lines.append(
            textwrap.fill(
                str(value),
                118,
                initial_indent=f"{name:<20} ",
                subsequent_indent=" " * 21,
            )
        )
    for name, what in figures["invariants"].items():
        lines.append(
            f"{'held' if what['holds'] else 'BROKEN':<8} {name}: {INVARIANTS[name]}"
        )
        lines += [f"             {one}" for one in what["shows"][:SHOWN]]
        if len(what["shows"]) > SHOWN:
            lines.append(f"             and {len(what['shows']) - SHOWN} more")
    held = sum(what["holds"] for what in figures["invariants"].values())
    word = "GREEN" if figures["green"] else "RED"
    lines.append(f"verdict  {word}: {held} of {len(INVARIANTS)} invariants hold")
    return "\n".join(lines)


def main() -> int:
    """Judge the run whose file is named; 0 when all is well."""
    place = Path(sys.argv[1])
    run = json.loads(place.read_text(encoding="utf-8"))
    with psycopg.connect(
        run["database_url"], row_factory=dict_row, connect_timeout=10
    ) as connection:
        connection.read_only = True
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        ours = Ours(connection)
    theirs = Theirs(Path(run["gateway_db"]), Path(run["charge_file"]))
    found = check(run, theirs, ours)
    figures = report(run, theirs, ours, found)
    place.with_name("report.json").write_text(
        json.dumps(figures, indent=1), encoding="utf-8"
    )
    print(told(figures), flush=True)
    return 0 if figures["green"] else 1


if __name__ == "__main__":
    sys.exit(main())
