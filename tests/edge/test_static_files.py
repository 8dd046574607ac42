"""Static files: fingerprinted, compressed, cached for ever; ours small, others' unchanged."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import brotli
import pytest
from flask import Flask

from core.base.config import Config
from edge import static

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "static"


def test_htmx_is_the_published_file() -> None:
    content = (SOURCE / "htmx-4.0.1.min.js").read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    assert digest == "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130"
    assert digest in (SOURCE / "VENDORED.md").read_text()


OURS = sorted(
    path
    for folder in (SOURCE, static.INLINE)
    for path in folder.iterdir()
    if path.suffix in (".css", ".js")
)
BROTLI_MOST = {
    "app.css": 3_800,
    "portal.css": 1_390,
    "pages.css": 980,
    "records.css": 510,
    "store.css": 1_848,
    "receipt.css": 460,
    "poster.css": 560,
    "money.css": 600,
    "prices.css": 490,
    "shop.css": 400,
    "people.css": 480,
    "told.css": 420,
    "payouts.css": 290,
    "days.css": 400,
    "disputes.css": 230,
    "upload.css": 200,
    "console.css": 1_190,
    "makola.js": 517,
    "portal.js": 730,
    "prices.js": 460,
    "queue.js": 1_150,
    "results.js": 75,
    "shop.js": 235,
    "store.js": 1_665,
    "sw.js": 430,
    "notices.js": 860,
    "notices_sw.js": 360,
    "typed.js": 480,
}
"""Bytes of each file of ours as it goes out."""


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_our_own_files_go_out_small(path: Path) -> None:
    served = static.minified(path)
    if ".min." in path.name:
        assert served == path.read_bytes(), (
            "what others wrote goes out as they wrote it"
        )
        return
    assert len(served) < path.stat().st_size
    assert len(brotli.compress(served)) <= BROTLI_MOST[path.name]


@pytest.mark.parametrize(("name", "most"), [("icons.svg", 7_000), ("mark.svg", 500)])
def test_our_pictures_stay_small(name: str, most: int) -> None:
    assert (SOURCE / name).stat().st_size < most


@pytest.mark.parametrize(
    "path", [path for path in OURS if path.suffix == ".css"], ids=lambda path: path.name
)
def test_a_style_sheet_loses_blanks_and_comments_and_no_rule(path: Path) -> None:
    def rules(css: str) -> list[str]:
        plain = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
        return [re.sub(r"[\s;]+", "", part) for part in re.split(r"[{}]", plain)]

    served = static.minified(path).decode()
    assert rules(served) == rules(path.read_text())
    assert "/*" not in served and "\n" not in served


@pytest.mark.parametrize(
    "path", [path for path in OURS if path.suffix == ".css"], ids=lambda path: path.name
)
def test_the_source_of_a_style_sheet_can_be_read(path: Path) -> None:
    """A rule on one line where it fits and says at most three things, else a line for each."""
    for line in path.read_text().splitlines():
        assert len(line) <= 170, line
        assert line.count(";") <= 3 and line.count("{") <= 1, line


@pytest.mark.parametrize(
    "path", [path for path in OURS if path.suffix == ".js"], ids=lambda path: path.name
)
def test_a_script_keeps_every_word_of_its_code(path: Path) -> None:
    code = re.sub(r"(?m)^\s*//.*$|/\*(?s:.*?)\*/", "", path.read_text())
    served = static.minified(path).decode()
    words = re.compile(r"[A-Za-z_$][\w$]*|\d+")
    assert words.findall(served) == words.findall(code) or ".min." in path.name


def test_every_icon_asked_for_exists() -> None:
    icons = set(
        re.findall(r'<symbol id="([a-z]+)"', (SOURCE / "icons.svg").read_text())
    )
    assert len(icons) <= 30
    asked: set[str] = set()
    for path in (ROOT / "templates").rglob("*.html"):
        asked |= set(re.findall(r"""icon\(["']([a-z-]+)["']\)""", path.read_text()))
    assert asked, "templates use icons"
    assert asked <= icons, asked - icons


def test_a_file_is_kept_for_ever_under_a_name_of_its_content(app: Flask) -> None:
    with app.test_request_context("/"):
        url = static.static_url("app.css")
    assert re.fullmatch(r"/static/app-[0-9a-f]{12}\.css", url)
    with app.test_client().get(url, base_url="http://nobody.localhost") as answer:
        content = answer.data
    assert answer.status_code == 200
    assert (
        "immutable" in answer.headers["Cache-Control"]
        and "public" in answer.headers["Cache-Control"]
    )
    assert answer.headers["Content-Type"].startswith("text/css")
    assert "Set-Cookie" not in answer.headers
    assert content == static.minified(SOURCE / "app.css") and b"/*" not in content


@pytest.mark.parametrize(
    ("takes", "sent", "unpacked", "most"),
    [
        ("gzip, deflate", "gzip", gzip.decompress, 14_000),
        ("gzip, deflate, br", "br", brotli.decompress, 12_500),
    ],
)
def test_what_shrinks_is_sent_shrunk(
    app: Flask, takes: str, sent: str, unpacked: Callable[[bytes], bytes], most: int
) -> None:
    with app.test_request_context("/"):
        url = static.static_url("htmx-4.0.1.min.js")
    with app.test_client().get(
        url, base_url="http://ama.localhost", headers={"Accept-Encoding": takes}
    ) as answer:
        content = answer.data
    assert answer.headers["Content-Encoding"] == sent
    assert "Accept-Encoding" in answer.headers["Vary"]
    assert len(content) < most
    assert unpacked(content) == (SOURCE / "htmx-4.0.1.min.js").read_bytes()


def test_asking_again_costs_no_body(app: Flask) -> None:
    with app.test_request_context("/"):
        url = static.static_url("app.css")
    client = app.test_client()
    with client.get(url, base_url="http://ama.localhost") as first:
        known = {"If-Modified-Since": first.headers["Last-Modified"]}
    with client.get(url, base_url="http://ama.localhost", headers=known) as again:
        assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize(
    "name",
    [
        "app.css",
        "../wsgi.py",
        "..%2fwsgi.py",
        "VENDORED.md",
        "",
        "app-000000000000.css",
        "icons.svg.gz",
    ],
)
def test_nothing_else_is_served(app: Flask, name: str) -> None:
    assert (
        app.test_client()
        .get("/static/" + name, base_url="http://ama.localhost")
        .status_code
        == 404
    )


def test_a_page_cannot_link_to_a_file_that_is_not_there(app: Flask) -> None:
    with app.test_request_context("/"), pytest.raises(KeyError):
        static.static_url("missing.css")


def test_processes_that_start_together_share_one_folder(tmp_path: Path) -> None:
    names = static.fingerprints(SOURCE)
    for _ in range(2):
        static.build(SOURCE, names, tmp_path)
    built = {path.name for path in tmp_path.iterdir()}
    assert {name for name in built if not name.endswith((".gz", ".br"))} == set(
        names.values()
    )
    for kind in ("gz", "br"):
        assert (
            f"{names['app.css']}.{kind}" in built
            and f"{names['mark.svg']}.{kind}" in built
        )


def test_a_process_serves_what_another_one_built_later(
    app: Flask, config: Config
) -> None:
    folder = Path(config.instance_dir) / "static"
    client = app.test_client()
    assert client.get("/static/later-0123456789ab.css").status_code == 404
    (folder / "later-0123456789ab.css").write_text("a{}")
    with client.get(
        "/static/later-0123456789ab.css", base_url="http://ama.localhost"
    ) as answer:
        assert (answer.status_code, answer.data) == (200, b"a{}")
        assert "immutable" in answer.headers["Cache-Control"]


def test_old_files_outlive_a_deploy_and_then_go(tmp_path: Path) -> None:
    names = static.fingerprints(SOURCE)
    for name, days in (
        ("recent-0123456789ab.css", 20),
        ("ancient-0123456789ab.css", 31),
    ):
        (tmp_path / name).write_text("a{}")
        then = time.time() - days * 86_400
        os.utime(tmp_path / name, (then, then))
    static.build(SOURCE, names, tmp_path)
    assert (tmp_path / "recent-0123456789ab.css").exists()
    assert not (tmp_path / "ancient-0123456789ab.css").exists()


def test_a_changed_file_gets_a_new_name(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "a.css").write_text("a{}")
    before = static.fingerprints(source)
    (source / "a.css").write_text("b{}")
    assert static.fingerprints(source) != before


def _contrast(one: str, other: str) -> float:
    def light(colour: str) -> float:
        if len(colour) == 4:
            colour = "#" + "".join(c * 2 for c in colour[1:])
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
            for c in channels
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((light(one), light(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


PAIRS = [
    *(("ink", ground) for ground in ("paper", "card", "sunk", "accent-soft", "waiting-bg",
    "moving-bg", "done-bg", "stopped-bg", "returned-bg")),
    *(("ink-2", ground) for ground in ("paper", "card", "sunk")),
    *((state, f"{state}-bg") for state in ("waiting", "moving", "done", "stopped", "returned")),
    ("stopped", "card"), ("done", "card"), ("link", "paper"), ("link", "card"), ("accent-ink",
    "accent"),
    ("mtn-ink", "mtn"), ("telecel-ink", "telecel"), ("at-ink", "at"),
]  # fmt: skip


@pytest.mark.parametrize("look", ["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), PAIRS)
def test_text_is_readable_in_light_and_dark(look: str, ink: str, ground: str) -> None:
    css = (SOURCE / "app.css").read_text()
    tokens = dict(
        re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{3,6});", css[: css.index("@media")])
    )
    if look == "dark":
        tokens |= dict(
            re.findall(
                r"--([a-z0-9-]+): (#[0-9a-f]{3,6});",
                css[css.index(':root[data-theme="dark"]') : css.index("/* Ground */")],
            )
        )
    assert _contrast(tokens[ink], tokens[ground]) >= 4.5


def test_the_dark_look_is_the_same_by_system_and_by_choice() -> None:
    css = (SOURCE / "app.css").read_text()
    blocks = re.findall(r"color-scheme: dark;(.*?)\}", css, re.DOTALL)
    assert len(blocks) == 2
    first, second = (re.sub(r"\s+", " ", block).strip() for block in blocks)
    assert first == second
