"""The judge of a run, in a process of its own: the supplier's charge file against our orders,
postings and accounts.

    python -m tests.proofs.checker RUN.json

Knows nothing of the harness but the paths in that file and the address of the database. Names each
invariant that does not hold, with the orders that show it, prints one report, writes it beside
RUN.json, and exits 1 when anything is red.
"""

from __future__ import annotations

import json
import sys
import textwrap
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tests.proofs import diary

FINAL = ("completed", "refunded", "cancelled", "expired")
REASONS = frozenset(
    {
        "late_success",
        "contradiction",
        "resend_limit",
        "supplier_money",
        "unknown_too_long",
        "never_fulfilled",
    }
)
"""Why an order may be in a case after a run. Anything else, such as `broken` or `wrong_answer`, is
a bug of ours."""
LATE = ("late_success", "contradiction")
MOST_IN_CASES = 0.02
LEAST_HITS = 0.30
LEAST_OF_A_KIND = 10
SHOWN = 6

INVARIANTS = {
    "charge_file": "the supplier's charge file holds charges, and its own sum",
    "double_charge": "no order was bought twice, over all its references",
    "stranger_charge": "each charged reference belongs to an order that knows it",
    "lost_order": "each order that a customer was shown exists, and was processed",
    "refunded_but_delivered": (
        "no order was refunded while the supplier keeps its money, without a case"
    ),
    "completed_not_charged": (
        "no order is completed that the supplier was not paid for, without a case"
    ),
    "failed_but_charged": (
        "no order waits, failed or was cancelled while the supplier has its money, without a case"
    ),
    "not_terminal": "each order is terminal or in a case",
    "ledger_sum": "all entries, and the entries of each posting, sum to zero",
    "cached_balance": "each account's balance is the sum of its entries",
    "hold_left": "a terminal order holds nothing, and `held` is what open orders hold",
    "posting_shape": (
        "a completed order has one hold and one capture, a refunded one a hold and a release"
    ),
    "float_differs": (
        "the float account is the supplier's balance, but for what an open case explains"
    ),
    "too_many_cases": f"at most {MOST_IN_CASES:.0%} of orders are in a case",
    "case_reason": "each case has a reason from the fixed list",
    "too_few_kills": "all planned kills, floods, deaths and freezes happened",
    "too_few_hits": f"at least {LEAST_HITS:.0%} of worker kills hit a purchase in flight",
    "too_few_faults": f"each kind of fault struck at least {LEAST_OF_A_KIND} orders",
    "late_success_unseen": "a delivery after a refund became a case",
}


@dataclass
class Order:
    """One order as our books have it, beside what the supplier's file says about its reference."""

    id: int
    code: str
    order_ref: str
    state: str
    attempt: int
    resends: int
    ever_unknown: bool
    agent_price_pesewas: int
    postings: Counter[str] = field(default_factory=Counter)
    cases: list[str] = field(default_factory=list)
    ours_pesewas: int = 0
    """What our books say the supplier has for it: commits less refunds."""
    purchases: int = 0
    theirs_pesewas: int = 0
    """What the supplier's file says it has for it now."""

    def __str__(self) -> str:
        return f"{self.code} ({self.state}{', in case ' + '+'.join(self.cases) if self.cases else ''})"


@dataclass
class Findings:
    """What was found, by invariant."""

    broken: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def must(self, invariant: str, holds: bool, said: str) -> None:
        assert invariant in INVARIANTS, invariant
        if not holds:
            self.broken[invariant].append(said)

    def none(
        self,
        invariant: str,
        orders: Iterable[Order],
        said: Callable[[Order], str] = str,
    ) -> None:
        for order in orders:
            self.must(invariant, False, said(order))


def check(run: dict[str, Any], connection: psycopg.Connection[Any]) -> dict[str, Any]:
    """Judge one run by one snapshot of our database. Returns the report."""
    lines = _charges(Path(run["charge_file"]))
    written = diary.read(Path(run["diary"]))
    books = _Books(connection)
    found = Findings()
    orders = books.orders
    _charges_of(orders, lines, found)
    _states(orders, written, found)
    _ledger(books, found)
    allowed = _float(books, lines, found)
    _cases(books, run, found)
    _bars(run, found)
    revived = run.get("revived", [])
    for reference in revived:
        late = [
            order
            for order in orders.values()
            if order.order_ref == reference and set(order.cases) & set(LATE)
        ]
        found.must(
            "late_success_unseen",
            bool(late),
            f"{reference} was delivered after its refund, and no case says so",
        )
    return _report(run, books, lines, written, allowed, found)


class _Books:
    """One snapshot of our database."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        rows = connection.execute(
            "SELECT id, code, order_ref, state, attempt, resends, ever_unknown, agent_price_pesewas"
            " FROM orders"
        ).fetchall()
        self.orders = {row["id"]: Order(**row) for row in rows}
        for row in connection.execute(
            "SELECT order_id, kind FROM postings WHERE order_id IS NOT NULL"
        ):
            self.orders[row["order_id"]].postings[row["kind"]] += 1
        for row in connection.execute(
            "SELECT p.order_id, sum(e.amount_pesewas)::bigint AS moved FROM entries e JOIN postings"
            " p ON p.id = e.posting_id JOIN accounts a ON a.id = e.account_id WHERE a.name ="
            " 'supplier_float' AND p.order_id IS NOT NULL GROUP BY 1"
        ):
            self.orders[row["order_id"]].ours_pesewas = -row["moved"]
        self.platform_cases = []
        for row in connection.execute(
            "SELECT kind, order_id, evidence FROM cases WHERE closed_at IS NULL"
        ):
            if row["order_id"] is None:
                self.platform_cases.append(row)
            else:
                self.orders[row["order_id"]].cases.append(row["kind"])
        self.closed_cases = Counter(
            row["kind"]
            for row in connection.execute(
                "SELECT kind FROM cases WHERE closed_at IS NOT NULL"
            )
        )
        self.total = _one(
            connection, "SELECT coalesce(sum(amount_pesewas), 0)::bigint FROM entries"
        )
        self.entries = _one(connection, "SELECT count(*) FROM entries")
        self.unbalanced = _one(
            connection,
            "SELECT count(*) FROM (SELECT 1 FROM entries GROUP BY posting_id HAVING"
            " sum(amount_pesewas) <> 0) b",
        )
        self.drifted = [
            row["name"]
            for row in connection.execute(
                "SELECT a.name FROM accounts a WHERE a.balance_pesewas <> (SELECT"
                " coalesce(sum(e.amount_pesewas), 0) FROM entries e WHERE e.account_id = a.id)"
            )
        ]
        self.balances = {
            row["name"]: row["balance"]
            for row in connection.execute(
                "SELECT name, sum(balance_pesewas)::bigint AS balance FROM accounts GROUP BY name"
            )
        }
        self.look_ups = _one(
            connection,
            "SELECT count(*) FROM supplier_calls WHERE endpoint = 'status' AND http_status IS NOT"
            " NULL",
        )
        self.calls = {
            row["endpoint"]: row["n"]
            for row in connection.execute(
                "SELECT endpoint, count(*) AS n FROM supplier_calls GROUP BY endpoint"
            )
        }
        self.limited = _one(
            connection, "SELECT count(*) FROM supplier_calls WHERE http_status = 429"
        )
        self.unanswered = _one(
            connection,
            "SELECT count(*) FROM supplier_calls WHERE endpoint IN ('purchase', 'bulk') AND"
            " answered_at IS NULL",
        )


def _charges(path: Path) -> list[dict[str, Any]]:
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    lines = [
        json.loads(line)
        for line in text.splitlines(keepends=True)
        if line.endswith("\n")
    ]
    return [line for line in lines if line["account"] == "first"]


def _charges_of(
    orders: dict[int, Order], lines: list[dict[str, Any]], found: Findings
) -> None:
    """Put each line of the supplier's file beside its order."""
    by_ref = {order.order_ref: order for order in orders.values()}
    charges = [line for line in lines if line["kind"] == "charge"]
    found.must("charge_file", bool(charges), "the file is missing or holds no charge")
    sums = sum(line["amount_pesewas"] for line in lines)
    found.must(
        "charge_file",
        not lines or sums == lines[-1]["balance_pesewas"],
        "its lines do not add up to its balance",
    )
    for line in lines:
        if line["reference"] is None:
            continue
        order = by_ref.get(line["reference"])
        if order is None:
            found.must(
                "stranger_charge",
                line["kind"] != "charge",
                f"{line['reference']}, {-line['amount_pesewas']} pesewas",
            )
            continue
        order.theirs_pesewas -= line["amount_pesewas"]
        # What the supplier takes again when it revives an order by itself is no purchase of ours.
        order.purchases += line["kind"] == "charge" and line["cause"] == "purchase"
    found.none(
        "double_charge",
        (one for one in orders.values() if one.purchases > 1),
        lambda one: f"{one}: {one.purchases} times",
    )


def _states(
    orders: dict[int, Order], written: list[dict[str, Any]], found: Findings
) -> None:
    codes = {order.code: order for order in orders.values()}
    for line in written:
        if line["what"] == "placed":
            order = codes.get(line["code"])
            found.must(
                "lost_order",
                order is not None,
                f"{line['code']} is not in the database",
            )
            if order is not None:
                found.must(
                    "lost_order",
                    order.state != "pending",
                    f"{order} was never processed",
                )
    every, bare = (
        list(orders.values()),
        [order for order in orders.values() if not order.cases],
    )
    found.none("not_terminal", (one for one in bare if one.state not in FINAL))
    found.none(
        "refunded_but_delivered",
        (one for one in bare if one.state == "refunded" and one.theirs_pesewas > 0),
        lambda one: f"{one}: the supplier keeps {one.theirs_pesewas} pesewas",
    )
    found.none(
        "completed_not_charged",
        (one for one in bare if one.state == "completed" and one.theirs_pesewas <= 0),
    )
    waiting = ("pending", "queued", "failed", "cancelled", "expired")
    found.none(
        "failed_but_charged",
        (one for one in bare if one.state in waiting and one.theirs_pesewas > 0),
    )
    for order in every:
        left = (
            order.postings["hold"]
            - order.postings["capture"]
            - order.postings["release"]
        )
        if order.state in FINAL:
            found.must("hold_left", left == 0, f"{order}: {left} holds are left")
        right = {
            "completed": ("capture", "release"),
            "refunded": ("release", "capture"),
        }.get(order.state)
        if right is not None:
            fits = (
                order.postings["hold"],
                order.postings[right[0]],
                order.postings[right[1]],
            ) == (
                1,
                1,
                0,
            )
            found.must("posting_shape", fits, f"{order}: {dict(order.postings)}")


def _ledger(books: _Books, found: Findings) -> None:
    found.must(
        "ledger_sum",
        books.total == 0,
        f"{books.entries} entries sum to {books.total} pesewas",
    )
    found.must(
        "ledger_sum",
        books.unbalanced == 0,
        f"{books.unbalanced} postings do not sum to zero",
    )
    found.must(
        "cached_balance", not books.drifted, f"drifted: {', '.join(books.drifted)}"
    )
    open_pesewas = sum(
        order.agent_price_pesewas
        for order in books.orders.values()
        if order.postings["hold"]
        > order.postings["capture"] + order.postings["release"]
    )
    held = -books.balances.get("held", 0)
    found.must(
        "hold_left",
        held == open_pesewas,
        f"held is {held} pesewas, open orders hold {open_pesewas}",
    )


def _float(books: _Books, lines: list[dict[str, Any]], found: Findings) -> int:
    """Our float account against the supplier's balance, order by order. Returns pesewas that open
    cases explain."""
    balance = lines[-1]["balance_pesewas"] if lines else 0
    ours = books.balances.get("supplier_float", 0)
    explained = 0
    for order in books.orders.values():
        difference = order.theirs_pesewas - order.ours_pesewas
        if (
            difference
            and order.cases
            and (order.state not in FINAL or set(order.cases) & set(LATE))
        ):
            explained += difference
        elif difference:
            found.must(
                "float_differs",
                False,
                f"{order}: supplier has {order.theirs_pesewas}, books {order.ours_pesewas}",
            )
    found.must(
        "float_differs",
        ours - explained == balance,
        f"our float is {ours} pesewas, the supplier's balance {balance}, open cases explain"
        f" {explained}",
    )
    return explained


def _cases(books: _Books, run: dict[str, Any], found: Findings) -> None:
    """What was delivered on purpose after its refund (`revived`) is in a case, and that is its one
    right end. Of few orders chance puts more than the share into one: `few_in_cases` may be."""
    revived = run.get("revived", [])
    in_case = [order for order in books.orders.values() if order.cases]
    by_itself = [order for order in in_case if order.order_ref not in revived]
    most = max(MOST_IN_CASES * len(books.orders), run["plan"]["few_in_cases"])
    found.must(
        "too_many_cases",
        len(by_itself) <= most,
        f"{len(by_itself)} of {len(books.orders)} orders",
    )
    for order in in_case:
        for kind in order.cases:
            found.must("case_reason", kind in REASONS, f"{order}: {kind}")
    for case in books.platform_cases:
        found.must(
            "case_reason",
            case["kind"] in REASONS,
            f"the platform: {case['kind']} {case['evidence'][-1:]}",
        )


def _bars(run: dict[str, Any], found: Findings) -> None:
    kills, acts, plan = run["kills"], run["acts"], run["plan"]
    found.must(
        "too_few_kills",
        len(kills) >= plan["kills"],
        f"{len(kills)} kills of {plan['kills']}",
    )
    for act, least in plan["acts"].items():
        found.must(
            "too_few_kills",
            acts.get(act, 0) >= least,
            f"{act}: {acts.get(act, 0)} of {least}",
        )
    workers = [kill for kill in kills if kill["kind"] == "worker"]
    hits = sum(kill["hit"] for kill in workers)
    found.must(
        "too_few_hits", hits >= LEAST_HITS * len(workers), f"{hits} of {len(workers)}"
    )
    for kind in plan["faults"]:
        count = run["faults"].get(kind, 0)
        found.must(
            "too_few_faults", count >= plan["least_of_a_kind"], f"{kind}: {count}"
        )


def _report(
    run: dict[str, Any], books: _Books, lines: list[dict[str, Any]], written: list[dict[str, Any]],
    allowed: int,
    found: Findings,
) -> dict[str, Any]:  # fmt: skip
    orders = books.orders.values()
    kills = Counter(kill["kind"] for kill in run["kills"])
    workers = [kill for kill in run["kills"] if kill["kind"] == "worker"]
    reasons = Counter(kind for order in orders for kind in order.cases)
    reasons.update(f"{case['kind']} (platform)" for case in books.platform_cases)
    said = Counter(line["what"] for line in written)
    return {
        "seed": run["seed"],
        "mutant": run.get("mutant"),
        "bulk": run["bulk"],
        "scale": run["scale"],
        "orders": len(books.orders),
        "placed": said["placed"],
        "states": dict(Counter(order.state for order in orders)),
        "kills": dict(kills),
        "acts": run["acts"],
        "hits": sum(kill["hit"] for kill in workers),
        "worker_kills": len(workers),
        "abandoned": run["abandoned"],
        "faults": run["faults"],
        "charges": sum(
            line["kind"] == "charge" and line["cause"] == "purchase" for line in lines
        ),
        "charged_again_by_the_supplier": sum(
            line["cause"] == "requeue" for line in lines
        ),
        "supplier_refunds": sum(line["kind"] == "refund" for line in lines),
        "attempts": sum(order.attempt for order in orders),
        "ever_unknown": sum(order.ever_unknown for order in orders),
        "resends": sum(order.resends for order in orders),
        "look_ups": books.look_ups,
        "calls": books.calls,
        "calls_limited": books.limited,
        "purchase_calls_never_recorded": books.unanswered,
        "cases": dict(reasons),
        "in_case": sum(
            bool(order.cases) and order.order_ref not in run.get("revived", [])
            for order in orders
        ),
        "late_on_purpose": len(run.get("revived", [])),
        "cases_closed": dict(books.closed_cases),
        "float_pesewas": books.balances.get("supplier_float", 0),
        "float_explained_by_cases": allowed,
        "supplier_balance_pesewas": lines[-1]["balance_pesewas"] if lines else 0,
        "held_pesewas": books.balances.get("held", 0),
        "entries": books.entries,
        "pages_unanswered": said["no_answer"],
        "pages_500": {
            name: n for name, n in said.items() if name.startswith("answer_5")
        },
        "times_s": run["times_s"],
        "broken": dict(found.broken),
        "green": not found.broken,
    }


def told(report: dict[str, Any]) -> str:
    """The report as a person reads it."""
    times, share = report["times_s"], report["hits"] / max(1, report["worker_kills"])
    name = f", mutant {report['mutant']}" if report["mutant"] else ""
    rows = [
        ("run",
        f"seed {report['seed']}, bulk {report['bulk']}, time scale {report['scale']:g}{name}"),
        ("orders",
        f"{report['placed']} placed, {report['orders']} in the database: {_counted(report['states'])}"),
        ("kills",
        f"{sum(report['kills'].values())}: {_counted(report['kills'])}; {_counted(report['acts'])}"),
        ("hits",
        (f"{report['hits']} of {report['worker_kills']} worker kills hit a purchase in flight ({share:.0%}); "
                 f"purchases left alone at the supplier: {_counted(report['abandoned'])}")),
        ("faults", _counted(report["faults"])),
        ("purchases",
        (f"{report['charges']} charges, {report['attempts']} attempts, {report['ever_unknown']} orders once "
                      f"unclear, {report['resends']} re-sends, {report['purchase_calls_never_recorded']} calls died with "
                      f"their worker")),
        ("look-ups",
        f"{report['look_ups']}; calls {_counted(report['calls'])}; {report['calls_limited']} answered 429"),
        ("supplier",
        (f"{report['supplier_refunds']} refunds, {report['charged_again_by_the_supplier']} charged again by "
                     "itself")),
        ("cases",
        (f"{report['in_case']} orders in a case ({report['in_case'] / max(1, report['orders']):.1%}), "
                f"{report['late_on_purpose']} delivered late on purpose: "
                  f"{_counted(report['cases']) or 'none'}; closed: {_counted(report['cases_closed']) or 'none'}")),
        ("money", (f"{report['entries']} entries; float {report['float_pesewas']}, supplier "
                  f"{report['supplier_balance_pesewas']}, open cases explain {report['float_explained_by_cases']}; "
                  f"held {report['held_pesewas']}")),
        ("pages",
        f"{report['pages_unanswered']} presses unanswered, {_counted(report['pages_500']) or 'no 5xx'}"),
        ("time", ", ".join(f"{name} {seconds:.0f} s" for name, seconds in times.items())),
    ]  # fmt: skip
    lines = [
        textwrap.fill(
            text, 118, initial_indent=f"{name:<10} ", subsequent_indent=" " * 11
        )
        for name, text in rows
    ]
    for name, shown in report["broken"].items():
        lines.append(f"RED        {name}: not true that {INVARIANTS[name]}")
        lines += [f"             {one}" for one in shown[:SHOWN]]
        lines += (
            [f"             and {len(shown) - SHOWN} more"]
            if len(shown) > SHOWN
            else []
        )
    held = len(INVARIANTS) - len(report["broken"])
    lines.append(f"verdict    {'GREEN' if report['green'] else 'RED'}: {held} of {len(INVARIANTS)} invariants hold"
                 + ("" if report["green"] else f"; broken: {', '.join(report['broken'])}"))  # fmt: skip
    return "\n".join(lines)


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(
        f"{name} {count}"
        for name, count in sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    )


def _one(connection: psycopg.Connection[Any], query: str) -> int:
    row = connection.execute(query).fetchone()
    assert row is not None
    return int(next(iter(row.values())))


def main() -> int:
    """Judge the run whose file is named; 0 when all is well."""
    place = Path(sys.argv[1])
    run = json.loads(place.read_text(encoding="utf-8"))
    with psycopg.connect(
        run["database_url"], row_factory=dict_row, connect_timeout=10
    ) as connection:
        connection.read_only = True
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        report = check(run, connection)
    place.with_name("report.json").write_text(
        json.dumps(report, indent=1), encoding="utf-8"
    )
    print(told(report), flush=True)
    return 0 if report["green"] else 1


if __name__ == "__main__":
    sys.exit(main())
