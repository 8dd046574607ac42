"""Lists the supplier may well send: spelled otherwise, with products we cannot buy, in another
currency. By the worker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from desk import AMA, Desk
from sqlalchemy import select
from visitors import Visitor

from core import catalog, outbox
from core.audit import SYSTEM
from core.base import config, tenancy
from core.base.db import db
from core.catalog import Bundle
from core.outbox import OutboxRow
from integrations.ports import Listing
from integrations.sandbox import faults

pytestmark = [pytest.mark.slow(seconds=0.2), pytest.mark.matrix]

ONE_GB = "YELLOW_1GB"


class Lists:
    """The supplier's list with edits over it, and what a sync of it does."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def show(self, *rows: dict[str, Any], also: Sequence[dict[str, Any]] = ()) -> None:
        """The list with these rows over it from now on, and further faults beside it."""
        plan = [
            *also,
            {
                "fault": "edited_list",
                "endpoint": "products",
                "times": None,
                "rows": list(rows),
            },
        ]
        self.desk.sandbox.sandbox.faults.install(faults.read_plan(plan))

    def read(self, *rows: dict[str, Any]) -> None:
        """Read the list and apply it, and let nothing else happen."""
        self.show(*rows)
        found = self.desk.client.offers()
        assert isinstance(found, Listing)
        with tenancy.across_stores():
            catalog.apply_sync("datamart", found.offers, found.left_out)

    def sync(self, *rows: dict[str, Any]) -> OutboxRow:
        if rows:
            self.show(*rows)
        with tenancy.across_stores():
            asked = outbox.request("sync_catalogue", SYSTEM)
        self.desk.work()
        with tenancy.across_stores():
            row = outbox.requested(asked.id)
        assert row is not None and row.done_at is not None
        return row


@pytest.fixture
def lists(make_desk: Callable[..., Desk]) -> Lists:
    return Lists(make_desk(rate_limit=1_000))


def bundles(mb: int = 1024) -> list[Bundle]:
    return list(
        db.session.scalars(
            select(Bundle)
            .where(Bundle.network == "mtn", Bundle.mb == mb)
            .order_by(Bundle.id)
        )
    )


def row(**members: Any) -> dict[str, Any]:
    """A product of seven gigabytes that the seed does not have."""
    return {
        "product_code": "ODD", "name": "YELLOW", "network": "YELLO", "capacity": "7GB",
        "validity": "30 days", "price": 31.0,
        "currency": "GHS", "status": "active",
    } | members  # fmt: skip


SPELLINGS = [
    "30 Days",
    "30days",
    "30-day",
    "1 Month",
    "Monthly",
    " 30  DAYS ",
    "720 hours",
    "Valid for 30 days",
]


@pytest.mark.slow(seconds=0.4)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_prices_and_hidden_flags_survive_another_spelling_of_the_validity(
    lists: Lists, spelling: str
) -> None:
    lists.sync()
    [bundle] = bundles()
    with lists.desk.inside("ama"):
        catalog.save_price(bundle.id, 777, True, AMA)
    with lists.desk.inside("kofi"):
        catalog.save_price(bundle.id, 888, False, AMA)
    lists.sync({"product_code": ONE_GB, "validity": spelling})
    assert [one.id for one in bundles()] == [bundle.id]
    for slug, kept in (("ama", (777, True)), ("kofi", (888, False))):
        with lists.desk.inside(slug):
            line = next(
                line for line in catalog.price_table() if line.bundle_id == bundle.id
            )
            assert (line.price_pesewas, line.hidden) == kept


@pytest.mark.slow(seconds=0.2)
@pytest.mark.parametrize(
    "spelling", ["Non-Expiry", "NO EXPIRY", "no-expiry", "Never expires"]
)
def test_what_never_expires_is_one_bundle_however_it_is_said(
    lists: Lists, spelling: str
) -> None:
    lists.sync({"product_code": ONE_GB, "validity": "No expiry"})
    first = [one.id for one in bundles()]
    assert len(first) == 2  # it is another bundle than that of 30 days
    lists.sync({"product_code": ONE_GB, "validity": spelling})
    assert [one.id for one in bundles()] == first


def test_another_length_is_another_bundle(lists: Lists) -> None:
    lists.sync({"product_code": ONE_GB, "validity": "7 days"})
    assert [one.validity for one in bundles()] == ["30 days", "7 days"]


def test_a_size_in_another_unit_is_the_same_bundle(lists: Lists) -> None:
    lists.sync()
    before = [one.id for one in bundles()]
    lists.sync({"product_code": ONE_GB, "capacity": "1024 MB"})
    assert [one.id for one in bundles()] == before


@pytest.mark.slow(seconds=0.9)
@pytest.mark.parametrize(
    ("gb", "said"), [(1, "1000MB"), (5, "5000 MB"), (10, "10000MB")]
)
def test_a_product_counted_in_thousands_of_megabytes_is_the_same_bundle(
    lists: Lists, gb: int, said: str
) -> None:
    lists.sync()
    [bundle] = bundles(gb * 1024)
    with lists.desk.inside("ama"):
        catalog.save_price(bundle.id, 9_999, True, AMA)
    for capacity in (said, f"{gb}GB", said):
        lists.sync({"product_code": f"YELLOW_{gb}GB", "capacity": capacity})
        assert [(one.id, one.is_sold) for one in bundles(gb * 1024)] == [
            (bundle.id, True)
        ]
        assert bundles(gb * 1000) == []
    order = lists.desk.release("kofi", gb=gb)
    lists.desk.work()
    assert (lists.desk.read(order).state, lists.desk.read(order).capacity) == (
        "processing",
        said,
    )


def test_another_product_of_a_thousand_megabytes_is_another_bundle(
    lists: Lists,
) -> None:
    lists.sync(row(product_code="SMALL", capacity="1000MB", price=4.5))
    assert len(bundles()) == len(bundles(1000)) == 1


def test_of_two_bundles_that_mean_the_same_the_one_on_sale_goes_on(
    lists: Lists,
) -> None:
    """Left behind by a list of before, when each spelling made a bundle of its own."""
    lists.sync()
    [bundle] = bundles()
    with tenancy.across_stores():
        twin = {
            "network": "mtn",
            "mb": 1024,
            "validity": "30 Days",
            "offer_id": bundle.offer_id,
        }
        with catalog.sync.transaction() as session:
            session.add(
                Bundle(**twin, cost_pesewas=460, agent_price_pesewas=470, active=False)
            )
    lists.sync({"product_code": ONE_GB, "validity": "30 DAYS"})
    assert [(one.id == bundle.id, one.active) for one in bundles()] == [
        (True, True),
        (False, False),
    ]


@pytest.mark.slow(seconds=0.4)
@pytest.mark.parametrize(
    "odd",
    [
        {"name": "MTN (Non-Expiry)"},
        {"name": "MTN 🔥"},
        {"name": "MTN\u0007Big"},
        {"name": "MTN [Big]"},
        {"name": "MTN", "network": None},
        {"name": "Big", "network": "Vodafone"},
        {"capacity": "7 gigs"},
        {"capacity": "7\u200bGB"},
        {"currency": "NGN"},
        {"currency": {"code": "USD"}},
    ],
)
def test_what_cannot_be_bought_is_not_on_the_shelf_and_the_sync_names_it(
    lists: Lists, odd: dict[str, Any]
) -> None:
    lists.sync()
    asked = lists.sync(row(**odd))
    assert (
        asked.result_text is not None
        and "1 of 38 left out" in asked.result_text
        and "(ODD)" in asked.result_text
    )
    with lists.desk.inside("ama"):
        assert 7168 not in {line.mb for line in catalog.shelf()}
    with tenancy.across_stores():
        report = catalog.last_sync()
    assert report is not None and [one["product"] for one in report.left_out] == ["ODD"]


@pytest.mark.slow(seconds=0.6)
@pytest.mark.parametrize("capacity", ["7 GB", "7gb", "7.0GB", " 7GB", "7168 MB"])
def test_a_size_goes_out_just_as_it_is_listed(lists: Lists, capacity: str) -> None:
    lists.sync(row(capacity=capacity))
    order = lists.desk.release(gb=7)
    lists.desk.work()
    assert lists.desk.read(order).state == "processing"
    theirs = lists.desk.sandbox.sandbox.store.rows(
        "SELECT capacity FROM orders WHERE reference = ?", order.order_ref
    )
    assert [one["capacity"] for one in theirs] == [capacity]


def test_the_owner_who_presses_sync_reads_what_was_left_out(
    lists: Lists, owner: Visitor
) -> None:
    page = owner.post("/catalogue/sync")
    lists.show(
        *(
            row(
                product_code=f"MTN_{gb}GB", name="MTN", network=None, capacity=f"{gb}GB"
            )
            for gb in (1, 2, 3, 4)
        )
    )
    lists.desk.work()
    page = owner.get(page.headers["Location"])
    assert (
        "4 of 41 left out: unknown network &#39;MTN&#39; (MTN_1GB, MTN_2GB, MTN_3GB, …)."
        in page.text
    )
    assert '<span class="strong">MTN_4GB</span>: unknown network' in page.text
    assert "4 products of the supplier&#39;s list are left out" in owner.get("/").text


UNREADABLE = [
    ({"price": None}, "no price"),
    ({"price": "4,6O"}, "no price"),
    ({"capacity": "1 gig"}, "unreadable capacity"),
    ({"currency": "USD"}, "another currency"),
    ({"name": "MTN (Non-Expiry)"}, "unknown network"),
    ({"status": "maybe"}, "an unknown status"),
]


@pytest.mark.slow(seconds=1.1)
@pytest.mark.parametrize(("odd", "why"), UNREADABLE)
def test_the_owner_reads_why_a_listed_product_is_not_sold_and_not_that_it_is_gone(
    lists: Lists, owner: Visitor, odd: dict[str, Any], why: str
) -> None:
    lists.sync()
    others = owner.get("/catalogue").text.count("Gone from the list")
    lists.sync({"product_code": ONE_GB} | odd)
    lists.desk.jump(config.current().gone_gap_s + 1)
    for _ in range(2):
        page = owner.get("/catalogue").text
        assert (
            f"On the list, but left out: {why}" in page
            and page.count("Gone from the list") == others
        )
        assert [(one.is_sold, one.is_gone) for one in bundles()] == [(False, True)]
        lists.sync()
    lists.sync({"product_code": ONE_GB})
    assert [one.is_sold for one in bundles()] == [True]
    assert "left out" not in owner.get("/catalogue").text


def test_a_listed_product_that_is_left_out_is_sold_by_another_offer(
    lists: Lists, owner: Visitor
) -> None:
    twin = row(product_code="TWIN", name="YELLO MAX", capacity="1GB", price=4.62)
    lists.sync(twin)
    lists.sync({"product_code": ONE_GB, "price": None}, twin)
    order = lists.desk.release()
    lists.desk.work_until(order, "processing")
    assert lists.desk.read(order).product_name == "YELLO MAX"
    assert "On the list" not in owner.get("/catalogue").text


def test_what_the_owner_took_away_says_in_the_audit_that_it_was_listed(
    lists: Lists, owner: Visitor
) -> None:
    lists.sync()
    lists.sync({"product_code": ONE_GB, "price": None})
    [bundle] = bundles()
    with tenancy.across_stores():
        catalog.approve({bundle.id: "gone"}, SYSTEM)
    assert "On the list, but left out: no price" in owner.get("/audit").text


def test_a_list_of_which_nothing_can_be_sold_changes_nothing_and_says_why(
    lists: Lists,
) -> None:
    lists.sync()
    with tenancy.across_stores():
        everything = [
            one.product_code
            for one in db.session.scalars(select(catalog.SupplierOffer))
        ]
    asked = lists.sync(
        *({"product_code": code, "name": "MTN", "network": None} for code in everything)
    )
    assert not asked.result_ok
    assert (
        asked.result_text is not None
        and "37 of 37 left out: unknown network 'MTN'" in asked.result_text
    )
    with lists.desk.inside("ama"):
        assert len(catalog.shelf()) > 30


@pytest.mark.parametrize(
    "status", ["Active", "ACTIVE", " active ", True, "available", "In-Stock", ""]
)
def test_a_product_on_sale_is_sold_however_its_status_is_spelled(
    lists: Lists, status: object
) -> None:
    asked = lists.sync(row(status=status))
    assert asked.result_text is not None and "left out" not in asked.result_text
    with lists.desk.inside("ama"):
        assert 7168 in {line.mb for line in catalog.shelf()}


@pytest.mark.parametrize(
    "odd",
    [
        {"status": "Inactive"},
        {"status": "OUT_OF_STOCK"},
        {"status": False},
        {"inStock": False},
    ],
)
def test_what_the_supplier_does_not_sell_now_is_no_fault_of_its_list(
    lists: Lists, odd: dict[str, Any]
) -> None:
    asked = lists.sync(row(**odd))
    assert asked.result_text is not None and "left out" not in asked.result_text
    assert bundles(7168) == []


@pytest.mark.parametrize("status", ["verkauft", 7, ["active"]])
def test_a_status_that_may_mean_either_is_not_sold_and_named(
    lists: Lists, status: object
) -> None:
    asked = lists.sync(row(status=status))
    assert (
        asked.result_text is not None
        and "1 of 38 left out: an unknown status" in asked.result_text
    )
    assert bundles(7168) == []


def test_a_list_without_anything_on_sale_is_not_called_empty(lists: Lists) -> None:
    lists.sync()
    everything = [
        one.product_code for one in db.session.scalars(select(catalog.SupplierOffer))
    ]
    asked = lists.sync(
        *({"product_code": code, "status": "inactive"} for code in everything)
    )
    assert not asked.result_ok
    assert (
        asked.result_text is not None
        and "37 of 37 left out: not active" in asked.result_text
    )


@pytest.mark.slow(seconds=0.4)
@pytest.mark.parametrize("unsaid", [None, "", "N/A", 30, "30"])
def test_a_list_that_does_not_say_how_long_changes_no_bundle(
    lists: Lists, unsaid: object
) -> None:
    lists.sync()
    [bundle] = bundles()
    with lists.desk.inside("ama"):
        catalog.save_price(bundle.id, 777, True, AMA)
    lists.sync({"product_code": ONE_GB, "validity": unsaid})
    assert [(one.id, one.is_sold) for one in bundles()] == [(bundle.id, True)]
    lists.sync(
        {"product_code": ONE_GB, "drop": True},
        row(product_code="Y_1", capacity="1GB", validity=unsaid, price=4.6),
    )
    assert [(one.id, one.is_sold) for one in bundles()] == [(bundle.id, True)]


UNSAID = [None, "", "N/A", "-", "TBC", {"days": 30}]


def keeps_price_and_flag(lists: Lists, bundle_id: int) -> None:
    """Give the bundle a price and a flag that no rule would make; `kept` reads them again."""
    with lists.desk.inside("ama"):
        catalog.save_price(bundle_id, 3_777, True, AMA)
    with lists.desk.inside("kofi"):
        catalog.save_price(bundle_id, 3_888, False, AMA)


def kept(lists: Lists, bundle_id: int) -> list[tuple[int | None, bool]]:
    found = []
    for slug in ("ama", "kofi"):
        with lists.desk.inside(slug):
            line = next(
                line for line in catalog.price_table() if line.bundle_id == bundle_id
            )
            found.append((line.price_pesewas, line.hidden))
    return found


KEPT = [(3_777, True), (3_888, False)]


def seven() -> list[tuple[int, str, bool]]:
    return [(one.id, one.validity, one.is_sold) for one in bundles(7 * 1024)]


@pytest.mark.slow(seconds=0.8)
@pytest.mark.parametrize("first", [*UNSAID, 30, "30", "30 dyas"])
def test_a_bundle_that_did_not_say_how_long_keeps_its_prices_when_it_does(
    lists: Lists, first: object
) -> None:
    lists.sync(row(validity=first))
    [bundle] = bundles(7 * 1024)
    keeps_price_and_flag(lists, bundle.id)
    lists.sync(row(validity="30 days"))
    assert seven() == [(bundle.id, "30 days", True)]
    assert kept(lists, bundle.id) == KEPT
    lists.sync(row(validity=first))
    lists.sync(row(validity="1 month"))
    assert [one for one, _, _ in seven()] == [bundle.id]
    lists.sync(row(validity="7 days"))
    assert [one for one, _, sold in seven() if sold] != [bundle.id], (
        "another duration is another bundle"
    )


def test_an_order_placed_before_its_bundle_was_named_is_bought(lists: Lists) -> None:
    lists.sync(row(validity=""))
    order = lists.desk.release("kofi", gb=7)
    lists.sync(row(validity="30 days"))
    lists.desk.work_until(order, "processing")


def test_a_new_product_that_says_how_long_takes_the_place_of_the_missing_one(
    lists: Lists,
) -> None:
    lists.sync(row(validity=""))
    [bundle] = bundles(7 * 1024)
    keeps_price_and_flag(lists, bundle.id)
    lists.sync(row(product_code="ODD_NEW", validity="30 days"))
    assert seven() == [(bundle.id, "30 days", True)]
    assert kept(lists, bundle.id) == KEPT


def other(**members: Any) -> dict[str, Any]:
    """Another product of the size of `row` that a purchase can tell from it, and dearer."""
    return row(product_code="OTHER", name="YELLO MAX", price=31.5) | members


def test_of_two_durations_the_one_that_was_bought_keeps_the_prices(
    lists: Lists,
) -> None:
    lists.sync(row(validity=""), other(validity=""))
    [bundle] = bundles(7 * 1024)
    keeps_price_and_flag(lists, bundle.id)
    lists.sync(row(validity="30 days"), other(validity="7 days"))
    assert [(number == bundle.id, words) for number, words, _ in seven()] == [
        (True, "30 days"),
        (False, "7 days"),
    ]
    assert kept(lists, bundle.id) == KEPT


def test_what_was_sold_as_one_is_named_as_one_though_one_product_says_nothing_yet(
    lists: Lists,
) -> None:
    lists.sync(row(validity=""), other(validity=""))
    [bundle] = bundles(7 * 1024)
    keeps_price_and_flag(lists, bundle.id)
    lists.sync(row(validity=""), other(validity="30 days"))
    lists.sync(row(validity="30 days"), other(validity="30 days"))
    assert seven() == [(bundle.id, "30 days", True)]
    assert kept(lists, bundle.id) == KEPT


def test_two_new_durations_take_no_place_of_a_missing_one(lists: Lists) -> None:
    lists.sync(row(validity=""))
    [bundle] = bundles(7 * 1024)
    lists.sync(row(product_code="A", validity="30 days"), other(validity="7 days"))
    assert seven()[0] == (bundle.id, "", False)
    assert sorted(words for _, words, sold in seven() if sold) == ["30 days", "7 days"]


def test_beside_a_bundle_of_that_name_the_named_one_goes_on(lists: Lists) -> None:
    lists.sync(row(validity=""), other(validity="30 days"))
    nameless, named = bundles(7 * 1024)
    assert (nameless.validity, named.validity) == ("", "30 days")
    keeps_price_and_flag(lists, named.id)
    lists.sync(row(validity="30 days"), other(validity="30 days"))
    assert seven() == [(nameless.id, "", False), (named.id, "30 days", True)]
    assert kept(lists, named.id) == KEPT
    with tenancy.across_stores():
        assert [
            one for one in catalog.questions() if one.bundle.mb == 7 * 1024
        ] == [], "nothing was taken away"


def test_a_bundle_long_gone_comes_back_with_the_prices_of_the_nameless_one(
    lists: Lists,
) -> None:
    with tenancy.across_stores():
        catalog.set_rules(catalog.Rules(by_itself=True), SYSTEM)
    lists.sync(row(validity="30 days"))
    [old] = bundles(7 * 1024)
    for _ in range(2):
        lists.sync({"product_code": ONE_GB})
        lists.desk.jump(config.current().gone_gap_s + 1)
    lists.sync(other(validity=""))
    nameless = bundles(7 * 1024)[1]
    keeps_price_and_flag(lists, nameless.id)
    lists.sync(other(validity="30 days"))
    assert seven() == [(old.id, "30 days", True), (nameless.id, "", False)]
    assert kept(lists, old.id) == KEPT


def test_a_product_that_comes_back_and_does_not_say_is_what_it_was(
    lists: Lists,
) -> None:
    with tenancy.across_stores():
        catalog.set_rules(catalog.Rules(by_itself=True), SYSTEM)
    lists.sync(row(validity="30 days"))
    [bundle] = bundles(7 * 1024)
    keeps_price_and_flag(lists, bundle.id)
    for _ in range(2):
        lists.sync({"product_code": ONE_GB})
        lists.desk.jump(config.current().gone_gap_s + 1)
    lists.sync(row(validity=""))
    assert seven() == [(bundle.id, "30 days", True)]
    assert kept(lists, bundle.id) == KEPT


def test_another_number_without_a_unit_is_another_bundle(lists: Lists) -> None:
    lists.sync({"product_code": ONE_GB, "validity": "7"})
    assert [one.validity for one in bundles()] == ["30 days", "7"]


def test_what_did_not_come_of_a_list_that_counts_more_stays_as_it_was(
    lists: Lists,
) -> None:
    lists.sync()
    short = {
        "fault": "edited_answer",
        "endpoint": "products",
        "times": None,
        "members": {"total": 37},
    }
    lists.show(
        {"product_code": ONE_GB, "drop": True},
        {"product_code": "YELLOW_2GB", "price": 9.05},
        also=[short],
    )
    asked = lists.sync()
    assert (
        asked.result_text is not None
        and "By its own count 1 more should have come" in asked.result_text
    )
    assert [(one.is_sold, one.is_gone) for one in bundles()] == [(True, False)]
    assert [one.cost_pesewas for one in bundles(2048)] == [905]


def test_the_report_says_what_came_off_sale_and_what_came_back(lists: Lists) -> None:
    lists.sync()
    asked = lists.sync({"product_code": ONE_GB, "drop": True})
    assert asked.result_text is not None and asked.result_text.startswith(
        "36 products read: 1 no longer listed. "
    )
    asked = lists.sync({"product_code": ONE_GB})
    assert asked.result_text is not None and asked.result_text.startswith(
        "37 products read: 1 listed again. "
    )
