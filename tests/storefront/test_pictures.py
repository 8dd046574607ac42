"""The pictures of a store: drawn by us, once a content, whatever a store calls itself."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from PIL import Image
from test_what_can_be_bought import statements, trips  # noqa: F401 - a fixture

from core import catalog
from core.audit import SYSTEM
from core.base import colours
from edge import limits
from storefront import drawing, pictures

ROOT = Path(__file__).resolve().parents[2]
MOST_BYTES = 20_000
ADDRESS = re.compile(
    r'<meta property="og:image" content="([a-z]+://[^"/]+)(/preview\.png\?v=[0-9a-f]{8})">'
)
HOSTILE = [
    "W" * 60,
    "Kofi Café & Sons Data Bundles Ghana Limited Tema Branch",
    "\u202eatad s'amA\u202c",
    "💛💛💛",
    "Ama 💛 Data",
    "أحمد للبيانات",
    "Ɔdɔ Data",
    "数据商店",
    "\u0301\u0301\u0301",
    "e\u0301" + "\u0301" * 50,
    "<svg/onload=x>",
    "...",
    "\x00\x01",
    "",
    "a\nb\nc\nd\ne",
]


@pytest.fixture(autouse=True)
def nothing_drawn():
    pictures._drawn.clear()


@pytest.fixture
def drawings(monkeypatch):
    """What was drawn."""
    made: list[tuple[object, ...]] = []
    draw = drawing.preview
    monkeypatch.setattr(
        drawing, "preview", lambda *words: made.append(words) or draw(*words)
    )
    return made


def opened(png: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(png))
    picture.load()
    assert picture.format == "PNG"
    return picture


def preview_of(shop) -> str:
    host, path = ADDRESS.search(shop.get("/").text).groups()
    assert host == shop.base
    return path


def test_the_store_page_names_its_picture_by_the_store_s_own_address(shop):
    html = shop("ama").get("/").text
    path = preview_of(shop("ama"))
    answer = shop("ama").get(path)
    assert (answer.status_code, answer.mimetype) == (200, "image/png")
    size = tuple(
        int(re.search(rf'property="og:image:{side}" content="(\d+)"', html)[1])
        for side in ("width", "height")
    )
    assert opened(answer.data).size == size == (600, 315)
    assert len(answer.data) <= MOST_BYTES


def test_it_wears_the_store_s_colour(shop, change_store):
    change_store("ama", colour="#0b3d91")
    picture = opened(shop("ama").get("/preview.png").data).convert("RGB")
    assert picture.getpixel((5, 5)) == (0x0B, 0x3D, 0x91)
    assert picture.getpixel((5, 300)) == tuple(bytes.fromhex(colours.PAPER[1:]))


def test_its_address_changes_with_what_it_shows(shop, bundle, in_store, change_store):
    seen, mtn = [preview_of(shop("ama"))], bundle()
    assert preview_of(shop("ama")) == seen[0]
    in_store("ama", lambda: catalog.save_price(mtn, 600, False, SYSTEM))
    seen.append(preview_of(shop("ama")))
    change_store("ama", name="Other")
    seen.append(preview_of(shop("ama")))
    change_store("ama", colour="#123456")
    seen.append(preview_of(shop("ama")))
    assert len(set(seen)) == 4
    bodies = {shop("ama").get(path).data for path in seen}
    assert len(bodies) == 1, "what is shown is what is so now, whatever was asked"


def test_it_names_the_cheapest_price_of_each_network_that_sells(
    shop, in_store, drawings
):
    shelf = in_store("ama", catalog.shelf)
    shop("ama").get("/preview.png")
    least = {
        network: min(l.price_pesewas for l in shelf if l.network == network)
        for network in ("mtn", "telecel", "at")
    }
    names = {"mtn": "MTN", "telecel": "Telecel", "at": "AT"}
    assert drawings[-1] == (
        "Ama's Data",
        "ama.localhost",
        "#0b6e4f",
        tuple(f"{names[n]} from GHS {p / 100:.2f}" for n, p in least.items()),
        None,
    )
    in_store("ama", lambda: catalog.pause_network("mtn", "test", SYSTEM))
    shop("ama").get("/preview.png")
    assert not any("MTN" in line for line in drawings[-1][3])


def test_who_has_it_is_told_so(shop):
    first = shop("ama").get("/preview.png")
    assert first.headers["Cache-Control"] == "public, max-age=3600"
    assert "Set-Cookie" not in first.headers and "Vary" not in first.headers
    again = shop("ama").get(
        "/preview.png", headers={"If-None-Match": first.headers["ETag"]}
    )
    assert (again.status_code, again.data) == (304, b"")
    kofi = shop("kofi").get("/preview.png")
    assert kofi.headers["ETag"] != first.headers["ETag"]
    for method, status in (("HEAD", 200), ("POST", 405), ("DELETE", 405)):
        answer = shop("ama").client.open(
            "/preview.png",
            method=method,
            base_url=shop("ama").base,
            headers={"Origin": shop("ama").base},
        )
        assert answer.status_code == status


def test_a_flood_draws_it_once_whatever_it_asks_for(app, shop, drawings):
    for number in range(20):
        assert shop("ama").get(f"/preview.png?v={number:08x}").status_code == 200
    assert len(drawings) == 1


def test_many_at_once_draw_it_once(app, drawings):
    words = ("Ama", "ama.localhost", "#0b6e4f", ("MTN from GHS 5.00",), "", None)
    together = threading.Barrier(4)

    def ask() -> None:
        together.wait()
        with app.app_context():
            pictures._preview(*words)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
    assert len(drawings) == 1


def test_who_has_many_drawn_waits_and_what_is_drawn_is_still_shown(shop, monkeypatch):
    """Each answer takes as long as ten pages; another address, and a picture that is there, cost
    nothing of it."""
    monkeypatch.setattr(drawing, "preview", lambda *_words: b"preview")
    monkeypatch.setattr(drawing, "icon", lambda *_words, **_more: b"icon")
    most = int(limits.PICTURES.partition(" ")[0])
    for number in range(most):
        pictures._drawn.clear()
        path = ("/preview.png", "/icon-192.png", "/icon-maskable.png")[number % 3]
        assert shop("ama").get(path).status_code == 200
    shown = path
    refused = shop("kofi").get("/preview.png")
    assert refused.status_code == 429 and refused.headers["Retry-After"]
    assert "Wait a minute" in refused.text
    assert shop("ama").get(shown).status_code == 200
    assert shop("ama").get("/").status_code == 200


def test_what_is_remembered_is_bounded(app):
    with app.app_context():
        for number in range(40):
            pictures._icon(
                "Ama", "ama.localhost", f"#{number:06x}", 192, False, "", None
            )
    assert 0 < pictures._drawn.currsize <= pictures._drawn.maxsize
    assert pictures._drawn.maxsize == pictures.MOST_BYTES


def test_it_costs_one_statement(app, shop, trips):  # noqa: F811
    shop("ama").get("/preview.png")
    del trips[:]
    assert statements(app, lambda: shop("ama").get("/preview.png")) == []
    assert [len(trip) for trip in trips] == [1]


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_whatever_a_store_is_called_there_is_a_picture(name):
    png = drawing.preview(name, "ama.localhost", "#ffcc00", ("MTN from GHS 5.00",))
    assert opened(png).size == (600, 315) and len(png) <= MOST_BYTES
    letter = drawing.initial(name, "ama.localhost")
    assert len(letter) == 1 and letter.isascii() and letter.isalnum()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Ama's Data", "Ama's Data"),
        ("Café Ñame", "Cafe Name"),
        ("Ama 💛 Data", "Ama Data"),
        ("\u202eAma\u202c", "Ama"),
        ("Ɔdɔ Data", ""),
        ("أحمد Data", ""),
        ("Ama 数", ""),
        ("💛", ""),
        ("...", ""),
    ],
)
def test_a_name_is_drawn_whole_or_not_at_all(name, shown):
    """Signs may be left out; a letter may not, since what is left would be another name."""
    assert drawing.drawable(name) == shown


def test_a_name_that_cannot_be_drawn_is_the_store_s_address(shop, change_store):
    change_store("ama", name="أحمد")
    answer = shop("ama").get(preview_of(shop("ama")))
    same = drawing.preview("ama.localhost", "ama.localhost", "#0b6e4f", [])
    assert words_of(answer.data) == words_of(same)
    assert words_of(same) != words_of(shop("kofi").get("/preview.png").data)


def words_of(png: bytes) -> bytes:
    """The letters of a preview's name."""
    grey = opened(png).convert("L").crop((158, 50, 560, 140))
    return grey.point(lambda light: 255 * (light < 128)).tobytes()


def test_no_letter_leaves_the_picture():
    for name in (*HOSTILE, "m" * 60, "Mmmmmmmmmmmmmmmmmmmmmmm Mmmmmmmmmmmmmmmmmmmmmmm"):
        png = drawing.preview(name, "a" * 32 + ".makola.example", "#0b6e4f", [])
        margin = opened(png).convert("L").crop((562, 14, 600, 315))
        assert len(margin.getcolors()) == 1, name


def test_the_manifest_names_icons_that_are_there(shop, change_store):
    change_store("ama", colour="#0b3d91", name="Ama")
    icons = shop("ama").get("/manifest.webmanifest").json["icons"]
    assert [(i["sizes"], i.get("purpose", "any")) for i in icons] == [
        ("192x192", "any"),
        ("512x512", "any"),
        ("512x512", "maskable"),
    ]
    for each in icons:
        answer = shop("ama").get(each["src"])
        assert answer.mimetype == each["type"] == "image/png"
        assert answer.headers["Cache-Control"] == "public, max-age=86400"
        assert len(answer.data) <= 4_000
        picture = opened(answer.data).convert("RGBA")
        side = int(each["sizes"].partition("x")[0])
        assert picture.size == (side, side)
        corner, edge = picture.getpixel((0, 0)), picture.getpixel((side // 2, 2))
        assert edge[:3] == (0x0B, 0x3D, 0x91) and edge[3] > 250
        assert (corner == edge) == (each.get("purpose") == "maskable")
        box = picture.convert("RGB").convert("L").point(lambda v: 255 * (v > 200))
        left, top, right, bottom = box.crop(
            (side // 10, side // 10, side * 9 // 10, side * 9 // 10)
        ).getbbox()
        assert right - left > side / 5 and bottom - top > side / 3, "a letter"
    change_store("ama", colour="#123456")
    others = shop("ama").get("/manifest.webmanifest").json["icons"]
    assert icons[0]["src"] != others[0]["src"]


@pytest.mark.slow(seconds=4)
def test_a_process_that_draws_nothing_does_not_carry_what_draws():
    program = "import sys, wsgi; sys.exit(not {'PIL', 'segno'}.isdisjoint(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", program], check=False, cwd=ROOT)
    assert ran.returncode == 0
