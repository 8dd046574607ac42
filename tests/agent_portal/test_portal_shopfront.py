"""How the agent's shop looks and whom customers pay, its preview, its hours and its logo."""

from __future__ import annotations

import io
import re
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import tables_owner
from flask import Flask
from PIL import Image
from playwright.sync_api import expect
from visitors import Visitor

from core import audit, logos, orders, stores
from core.base import clock, colours
from edge import stored_pages
from http_server import Head, Ready
from tests.support import axe

pytestmark = pytest.mark.slow(seconds=0.2)

ALWAYS = {"keeps": "no", "outside": "taken"}
WEEK = {f"on-{n}": "on" for n in range(7)} | {
    f"{what}-{n}": time
    for n in range(7)
    for what, time in (("from", "07:00"), ("until", "21:00"))
}
IN_HOURS = WEEK | {"keeps": "yes", "outside": "taken"}


def store_of(app: Flask, slug: str = "ama") -> stores.Store:
    with app.app_context():
        found = stores.by_slug(slug)
    assert found is not None
    return found


def to_hour(set_clock: Callable[[float], None], hour: int, minute: int = 0) -> None:
    """So late today, or tomorrow when that is past: time never goes back."""
    now = clock.now().astimezone(clock.ACCRA)
    goal = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if goal < now:
        goal += timedelta(days=1)
    set_clock((goal - now).total_seconds())


class TestLook:
    def test_name_colour_and_numbers(
        self, app: Flask, ama_agent: Visitor, customer: Visitor, place: Any
    ) -> None:
        typed = {"name": "Ama & Sons", "colour": "#7A3E9D", "whatsapp": "020 765 4321",
                 "momo_number": "0551234567", "momo_name": "Ama <Mensah>"}  # fmt: skip
        assert ama_agent.post("/store", typed).status_code == 303
        page = customer.get("/").text
        assert "Ama &amp; Sons" in page and "--c:#7a3e9d" in page
        assert "wa.me/233207654321" in page and "055 123 4567" in page.replace(
            "\xa0", " "
        )
        order = customer.get(f"/orders/{place()}").text
        assert "Ama &lt;Mensah&gt;" in order
        ama_agent.post("/store", {"whatsapp": "", "momo_number": ""})
        store = store_of(app)
        assert (store.whatsapp, store.momo_number) == (None, None)
        assert store.name == "Ama & Sons", "what was not sent stays"
        assert store_of(app, "kofi").name == "Kofi's Data"

    @pytest.mark.parametrize(
        ("field", "typed", "said"),
        [
            ("name", "", "1 to 60 characters"), ("name", "x" * 61, "1 to 60 characters"),
            ("colour", "green", "like #0b6e4f"), ("colour", "#ffcc00", "4.5 to 1 is the least"),
            ("whatsapp", "024", "number"), ("momo_number", "not a number", "number"),
            ("momo_name", "x" * 61, "shorten it to 60"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_is_a_sentence_and_kept(
        self, app: Flask, ama_agent: Visitor, field: str, typed: str, said: str
    ) -> None:
        before = store_of(app).version
        answer = ama_agent.post("/store", {field: typed, "welcome": "Akwaaba"})
        assert answer.status_code == 422 and said in answer.text
        assert f'value="{typed}"' in answer.text and 'value="Akwaaba"' in answer.text
        assert store_of(app).version == before

    def test_the_nearest_colour_that_is_named_may_be_had(self) -> None:
        for typed in ("#ffcc00", "#ff0000", "#ffffff", "#00aaff", "#777777"):
            with pytest.raises(colours.BadColour) as refused:
                colours.check(typed)
            nearest = re.findall("#[0-9a-f]{6}", refused.value.sentence)[-1]
            assert colours.check(nearest) == nearest
            on_dark = colours.readable(nearest, colours.INK)
            assert colours.contrast(nearest, colours.PAPER) < 4.75
            assert colours.contrast(on_dark, colours.INK) >= 4.5

    def test_a_colour_of_before_the_rule_stays_until_it_is_changed(
        self, app: Flask, ama_agent: Visitor
    ) -> None:
        tables_owner.execute("UPDATE stores SET colour = '#ffcc00' WHERE slug = 'ama'")
        form = {"colour": "#ffcc00", "was-colour": "#ffcc00", "welcome": "Akwaaba"}
        assert ama_agent.post("/store", form).status_code == 303
        assert store_of(app).welcome == "Akwaaba"

    def test_a_number_spelt_otherwise_is_no_change(
        self, app: Flask, ama_agent: Visitor
    ) -> None:
        before = store_of(app)
        form = {"momo_number": "024 000 0001", "was-momo_number": before.momo_number}
        ama_agent.post("/store", form)
        assert store_of(app).version == before.version

    def test_a_preview_saves_nothing_and_may_stand_in_our_page_alone(
        self, app: Flask, ama_agent: Visitor, logged_in: Callable[..., Visitor]
    ) -> None:
        before = store_of(app).version
        typed = {"name": "Akosua", "colour": "#7a3e9d", "announcement": "<b>Slow</b>"}
        shown = ama_agent.post("/store/preview", typed)
        assert shown.status_code == 200 and "--c:#7a3e9d" in shown.text
        assert "Akosua" in shown.text and "&lt;b&gt;Slow" in shown.text
        assert re.search("<body[^>]* inert", shown.text)
        assert "frame-ancestors 'self'" in shown.headers["Content-Security-Policy"]
        page = ama_agent.get("/store")
        policy = page.headers["Content-Security-Policy"]
        assert "frame-src 'self'" in policy and "frame-ancestors 'none'" in policy
        wrong = ama_agent.post("/store/preview", typed | {"colour": "#ffcc00"})
        assert wrong.status_code == 422 and "4.5 to 1" in wrong.text
        assert "Akosua" in wrong.text
        assert store_of(app).version == before
        assert "Ama&#39;s Data" in ama_agent.get("/store/preview").text
        viewer = logged_in("viewer@example.test", "portal", "ama")
        assert viewer.post("/store/preview", typed).status_code == 403


class TestHours:
    def test_outside_them_orders_are_taken_and_say_when_they_are_handled(
        self, ama_agent: Visitor, customer: Visitor, place: Any, set_clock: Any
    ) -> None:
        ama_agent.post("/store/hours", IN_HOURS)
        to_hour(set_clock, 23)
        page = customer.get("/").text
        said = "is back tomorrow at 07:00"
        assert f"Ama&#39;s Data {said}. You can order now; it is handled then." in page
        assert "<form" in page
        code = place()
        assert f"{said} and handles it then." in customer.get(f"/orders/{code}").text

    def test_closed_outside_them_is_a_setting(
        self, ama_agent: Visitor, customer: Visitor, place: Any, set_clock: Any,
        in_store: Any,
    ) -> None:  # fmt: skip
        ama_agent.post("/store/hours", IN_HOURS | {"outside": "closed"})
        to_hour(set_clock, 23)
        page = customer.get("/").text
        assert "Ama&#39;s Data takes orders again tomorrow at 07:00." in page
        assert "<form" not in page
        bundle = tables_owner.read("SELECT min(id) FROM bundles")[0]
        wish = {"bundle": str(bundle), "recipient": "024 123 4567"}
        answer = customer.post("/orders", wish)
        assert answer.status_code == 422 and "takes orders again" in answer.text
        assert tables_owner.read("SELECT count(*) FROM orders") == [0]

        def placed(source: str) -> bool:
            wish = {"bundle_id": bundle, "recipient_msisdn": "+233241234567"}
            key = f"{source:x<24}"
            return orders.place(**wish, idempotency_key=key, source=source).created

        assert in_store("ama", lambda: placed("walk_in")), "somebody is there"
        with pytest.raises(orders.StoreClosed, match="takes orders again"):
            in_store("ama", lambda: placed("store"))

    def test_a_kept_page_changes_at_the_minute(
        self, app: Flask, ama_agent: Visitor, visitor: Any, set_clock: Any,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        pages = app.extensions["stored_pages"]
        ama_agent.post("/store/hours", IN_HOURS)
        pages.forget()
        later, real = [0.0], stored_pages.monotonic
        monkeypatch.setattr(stored_pages, "monotonic", lambda: real() + later[0])

        def found() -> Any:
            sent = [(b"host", b"ama.localhost")]
            return pages.answer(Head("GET", "/", "/", "", "1.1", sent))

        to_hour(set_clock, 20, 59)
        page = visitor("ama").get("/")
        assert "is back" not in page.text
        later[0] = 10.0
        look = found()
        assert not isinstance(look, Ready)
        to_hour(set_clock, 21, 0)
        assert look() is None, "what was kept is not shown again"
        new = visitor("ama").get("/", headers={"If-None-Match": page.headers["ETag"]})
        assert new.status_code == 200 and "is back tomorrow at 07:00" in new.text

    def test_hours_are_saved_once_and_kept_when_wrong(
        self, app: Flask, ama_agent: Visitor
    ) -> None:
        was = store_of(app).version
        for said in ("your shop says so now", "Nothing was changed"):
            assert ama_agent.post("/store/hours", IN_HOURS).status_code == 303
            assert said in ama_agent.get("/store/hours").text
        assert store_of(app).version == was + 1
        assert store_of(app).hours == ",".join(["07:00-21:00"] * 7)
        for change, said in (
            ({"from-2": "25:00"}, "Wednesday: “25:00” is no time"),
            (dict.fromkeys((f"on-{n}" for n in range(7)), ""), "Tick at least one day"),
        ):
            answer = ama_agent.post("/store/hours", IN_HOURS | change)
            assert answer.status_code == 422 and said in answer.text
        assert 'value="07:00"' in answer.text
        stale = IN_HOURS | {"until-1": "20:00", "was": " taken"}
        answer = ama_agent.post("/store/hours", stale)
        assert answer.status_code == 422 and "Somebody else changed this" in answer.text
        again = re.search('name="was" value="([^"]*)"', answer.text)
        assert again is not None
        assert ama_agent.post("/store/hours", stale | {"was": again[1]}).location
        assert ama_agent.post("/store/hours", ALWAYS).status_code == 303
        assert store_of(app).hours == ""

    def test_what_both_languages_say(
        self, ama_agent: Visitor, customer: Visitor, set_clock: Any
    ) -> None:
        ama_agent.post("/store/hours", IN_HOURS)
        to_hour(set_clock, 23)
        assert "is back" not in customer.get("/tw/").text
        assert "07:00" in customer.get("/tw/").text


def picture(
    kind: str = "PNG", size: tuple[int, int] = (300, 200), **more: Any
) -> bytes:
    out = io.BytesIO()
    Image.effect_noise(size, 90).convert("RGB").save(out, kind, **more)
    return out.getvalue()


def bomb() -> bytes:
    """A PNG of a few bytes that says it is 30,000 points wide and high."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(100_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data)


def plain(width: int, height: int) -> bytes:
    """Few bytes, many points."""
    out = io.BytesIO()
    Image.new("1", (width, height)).save(out, "PNG")
    return out.getvalue()


def one_colour(side: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (side, side), "#c0ffee").save(out, "PNG")
    return out.getvalue()


def moving() -> bytes:
    out = io.BytesIO()
    frames = [Image.new("RGB", (64, 64), colour) for colour in ("red", "blue")]
    frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:])
    return out.getvalue()


def of_many_scans(count: int) -> bytes:
    """A progressive JPEG that goes over its points so often, in few bytes."""
    out = io.BytesIO()
    Image.new("L", (64, 64), 128).save(out, "JPEG", progressive=True)
    file = out.getvalue()
    last = file.rindex(b"\xff\xc4")  # the tables of the last scan, and it
    return file[:-2] + file[last:-2] * count + file[-2:]


def of_a_phone() -> bytes:
    """A photograph with a map of its light behind it, on its side."""
    exif = Image.Exif()
    exif[0x0112] = 6
    out = io.BytesIO()
    whole, light = Image.new("RGB", (400, 300), "red"), Image.new("RGB", (100, 75))
    whole.save(out, "MPO", save_all=True, append_images=[light], exif=exif)
    return out.getvalue()


def bring(agent: Visitor, file: bytes, name: str = "logo.png") -> Any:
    return agent.post(
        "/store/logo",
        {"logo": (io.BytesIO(file), name)},
        content_type="multipart/form-data",
    )


NO_LOGOS = {
    "text": (b"hello", "no picture"),
    "svg": (
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        "no picture",
    ),
    "gif": (picture("GIF"), "no picture"),
    "half a picture": (picture()[:2_000], "no picture"),
    "empty": (b"", "no picture"),
    "bomb": (bomb(), "more than 16 million"),
    "too many points": (plain(5_000, 4_000), "more than 16 million"),
    "moves": (moving(), "moves"),
    "moves as PNG": (
        picture(save_all=True, append_images=[Image.new("RGB", (300, 200))]),
        "moves",
    ),
    "many scans": (of_many_scans(3_000), "no picture"),
    "too small": (picture(size=(20, 300)), "at least 32"),
}


class TestLogo:
    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
    def test_it_is_encoded_anew_and_small(
        self, app: Flask, ama_agent: Visitor, visitor: Any, kind: str
    ) -> None:
        exif = Image.Exif()
        exif[0x010E] = "made at my house"
        secret = b"made at my house"
        file = picture(kind, (400, 300), exif=exif) + secret
        assert bring(ama_agent, file).status_code == 303
        page = visitor("ama").get("/").text
        address = re.search(r'src="(/logo/[0-9a-f]{16}\.webp)"', page)
        assert address is not None
        answer = visitor("ama").get(address[1])
        assert answer.mimetype == "image/webp" and secret not in answer.data
        assert "immutable" in answer.headers["Cache-Control"]
        assert not answer.headers.getlist("Set-Cookie")
        assert len(answer.data) <= logos.MOST_BYTES
        with Image.open(io.BytesIO(answer.data)) as shown:
            assert shown.size == (72, 72) and not shown.getexif()
        assert visitor("kofi").get(address[1]).status_code == 404
        assert "/logo/" not in visitor("kofi").get("/").text
        assert ama_agent.get("/store/logo.webp").data == answer.data
        shown = ama_agent.get("/store/preview").text
        assert "data:image/webp;base64," in shown
        version = store_of(app).version
        assert bring(ama_agent, file).status_code == 303
        assert store_of(app).version == version, "the same picture is no change"
        ama_agent.post("/store/logo/off")
        assert visitor("ama").get(address[1]).status_code == 404
        assert "/logo/" not in visitor("ama").get("/").text
        with app.app_context():
            acts = [line.action for line in audit.recent(10)]
        assert acts.count("store_logo") == acts.count("store_logo_off") == 1

    def test_home_screens_and_previews_of_links_wear_it(
        self, ama_agent: Visitor, visitor: Any
    ) -> None:
        def of(path: str) -> Any:
            answer = visitor("ama").get(path)
            assert answer.status_code == 200
            return Image.open(io.BytesIO(answer.data)).convert("RGBA")

        def is_tile(path: str, at: tuple[int, int]) -> bool:
            found = of(path).getpixel(at)
            return max(abs(a - b) for a, b in zip(found, tile, strict=True)) < 4

        def addresses() -> list[str]:
            shop, icons = visitor("ama"), visitor("ama").get("/manifest.webmanifest")
            found = re.search(r"/preview\.png\?v=\w+", shop.get("/").text)
            assert found is not None
            return [found[0], *(one["src"] for one in icons.json["icons"])]

        tile = (0xC0, 0xFF, 0xEE, 255)
        letter = addresses()
        assert bring(ama_agent, one_colour(200)).status_code == 303
        worn = addresses()
        assert not set(letter) & set(worn), "whoever keeps a picture asks anew"
        for path, at in zip(
            worn, [(60, 60), (96, 8), (256, 20), (256, 256)], strict=True
        ):
            assert is_tile(path, at), path
        # whole: nothing of it where a phone cuts, and nothing see-through
        whole = of(worn[3])
        assert whole.getpixel((20, 20)) == whole.getpixel((256, 20)) == (255,) * 4
        assert of(worn[2]).getpixel((0, 0))[3] == 0
        assert is_tile("/prices.png", (600, 90))
        # one of few points would be a blur there
        assert bring(ama_agent, one_colour(100)).status_code == 303
        assert not is_tile(addresses()[0], (60, 60))
        assert not is_tile(addresses()[2], (256, 20))
        ama_agent.post("/store/logo/off")
        assert addresses() == letter

    @pytest.mark.parametrize("name", NO_LOGOS)
    def test_what_is_none_is_a_sentence(
        self, app: Flask, ama_agent: Visitor, name: str
    ) -> None:
        file, said = NO_LOGOS[name]
        answer = bring(ama_agent, file)
        assert answer.status_code == 422 and said in answer.text
        assert store_of(app).logo is None

    @pytest.mark.parametrize(
        "file",
        [
            of_many_scans(8),
            of_a_phone(),
            picture("PNG", (90, 60), transparency=(0, 0, 0)),
        ],
        ids=["progressive", "of a phone", "see-through"],
    )
    def test_usual_pictures_are_taken(self, ama_agent: Visitor, file: bytes) -> None:
        assert bring(ama_agent, file).status_code == 303

    def test_a_photograph_on_its_side_stands_upright(self) -> None:
        shown = Image.open(io.BytesIO(logos.encoded(of_a_phone()).small)).convert("RGB")
        (*_, beside), (*_, above) = shown.getpixel((2, 36)), shown.getpixel((36, 2))
        assert beside > 200 and above < 60, "white beside it, red to its upper edge"

    def test_the_largest_is_made_small_before_it_is_copied(self) -> None:
        """In a process of its own, of which the kernel says how much it ever held."""
        code = (
            "import io; from PIL import Image; from core import logos; out = io.BytesIO();"
            "Image.new('RGBA', (4000, 4000)).save(out, 'PNG'); logos.encoded(out.getvalue());"
            "print(open('/proc/self/status').read())"
        )
        root = Path(logos.__file__).parent.parent
        said = subprocess.run(
            [sys.executable, "-c", code], cwd=root, capture_output=True, check=True
        ).stdout.decode()
        held_kb = int(re.findall(r"VmHWM:\s*(\d+) kB", said)[0])
        assert held_kb < 240_000

    def test_no_file_and_one_that_is_far_too_large(self, ama_agent: Visitor) -> None:
        answer = ama_agent.post("/store/logo", {})
        assert answer.status_code == 422 and "Choose a picture first." in answer.text
        answer = ama_agent.client.post(
            "/store/logo",
            base_url=ama_agent.base_url,
            data=bytes(20_000_000),
            content_type="multipart/form-data; boundary=x",
            headers={"Origin": ama_agent.base_url},
        )
        assert answer.status_code == 413 and "larger than any form" in answer.text

    def test_only_the_store_s_owner(
        self, app: Flask, logged_in: Callable[..., Visitor]
    ) -> None:
        for who in ("cashier", "viewer"):
            agent = logged_in(f"{who}@example.test", "portal", "ama")
            for path in ("/store/logo", "/store/hours"):
                assert "Only the store’s owner may" in agent.get(path).text
            assert bring(agent, picture()).status_code == 403
            assert agent.post("/store/logo/off").status_code == 403
            assert agent.post("/store/hours", IN_HOURS).status_code == 403
        assert (store_of(app).logo, store_of(app).hours) == (None, "")


@pytest.mark.browser
@pytest.mark.slow(seconds=8)
@pytest.mark.parametrize(("js", "dark"), [(True, False), (True, True), (False, False)])
def test_in_a_browser(open_page: Callable[..., Any], js: bool, dark: bool) -> None:
    page = open_page("ama", js=js, dark=dark)
    page.goto(page.url.rstrip("/") + "/store")
    before = page.evaluate("history.length") if js else 0
    frame = page.frame_locator("iframe[name=preview]")
    page.locator("iframe[name=preview]").scroll_into_view_if_needed()
    frame.locator("header >> text=Ama's Data").wait_for()
    page.fill("#name", "Akosua & Sons")
    page.fill("#colour", "#7a3e9d")
    if not js:
        page.click("text=Preview >> nth=0")
    frame.locator("header >> text=Akosua & Sons").wait_for()
    # on a slow machine a first preview shows the name alone, and a second one both
    expect(frame.locator(".btn.main")).to_have_css(
        "background-color", "rgb(122, 62, 157)"
    )
    if js:
        page.fill("#welcome", "Akwaaba from the preview")
        frame.locator("text=Akwaaba from the preview").wait_for()
        assert page.evaluate("history.length") == before, "Back leaves the page"
    page.click("button >> text=Save")
    expect(page.locator("#status")).to_contain_text("your shop says so now")
    for path, found in (
        ("hours", "Opening hours"),
        ("logo", "Logo"),
        ("address", "Address"),
    ):
        page.goto(re.sub("/store.*", f"/store/{path}", page.url))
        assert found in page.inner_text("h1")
        if path == "logo":
            file = {"name": "l.png", "mimeType": "image/png", "buffer": picture()}
            page.set_input_files("#logo", file)
            page.click("text=Show it in my shop")
            page.wait_for_selector("img[alt='Your logo']")
        if path == "hours":
            page.check("input[name=keeps][value=yes]")
            page.click("button >> text=Save")
            expect(page.locator("#status")).to_be_visible()
        if path == "address" and js:
            page.locator("#slug").press_sequentially("kofi")
            page.wait_for_selector("#address >> text=is taken")
        if js:
            page.set_viewport_size({"width": 320, "height": 640})
            assert page.evaluate("document.scrollingElement.scrollWidth") <= 320, path
            assert axe.faults(page) == [], path
