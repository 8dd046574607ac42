"""Templates written in one way: the attributes of htmx, and histories."""

from __future__ import annotations

import re
from pathlib import Path

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
FILES = sorted(TEMPLATES.rglob("*.html"))
ATTRIBUTE = re.compile(r"""((?:data-)?hx-[\w:-]+)=("[^"]*"|'[^']*')""")
NAMES = {
    "get",
    "post",
    "trigger",
    "target",
    "swap",
    "swap-oob",
    "status",
    "include",
    "headers",
}
TIME = re.compile(r"\b(?:every|delay:|throttle:) ?(\S+)")


def attributes() -> list[tuple[str, str, str]]:
    """Every attribute of htmx in the templates: file, name, value."""
    return [
        (path.name, name, value[1:-1])
        for path in FILES
        for name, value in ATTRIBUTE.findall(path.read_text())
    ]


def test_names_are_of_one_dialect() -> None:
    found = attributes()
    assert len(found) > 20
    for file, name, _ in found:
        assert name.startswith("data-hx-") and ":" not in name, (file, name)
        plain = name.removeprefix("data-hx-").removesuffix("-inherited")
        assert re.sub(r"-(\d+|[45]xx)$", "", plain) in NAMES, (file, name)
    text = "".join(path.read_text() for path in FILES)
    assert not re.search(r"""\shx-[a-z:-]+=|\bhx-on|["']js:""", text)


def test_times_are_in_milliseconds_and_what_polls_does_so_by_the_macro() -> None:
    for file, name, value in attributes():
        if name.removesuffix("-inherited") == "data-hx-trigger":
            for time in TIME.findall(re.sub(r"(?s){{.*?}}", "9", value)):
                assert re.fullmatch(r"9ms,?", re.sub("{.*", "", time)), (file, value)
            assert "every" not in value or file == "htmx.html", file


def test_an_element_that_asks_names_its_swap() -> None:
    for path in FILES:
        for tag in re.findall(r"<[a-z-]+[^<>]*data-hx-get=[^<]*", path.read_text()):
            assert "data-hx-swap=" in tag, (path.name, tag)


def test_scripts_of_ours_know_events_by_the_same_names() -> None:
    names: set[str] = set()
    for path in (TEMPLATES.parent / "static").glob("*.js"):
        if ".min." not in path.name:
            names |= set(re.findall(r"""['"](htmx[:-][\w:-]+)['"]""", path.read_text()))
    assert names == {"htmx-before-request", "htmx-before-swap", "htmx-after-swap"}
    configs = [path for path in FILES if 'name="htmx-config"' in path.read_text()]
    assert len(configs) == 2
    for path in configs:
        assert re.search(r'"metaCharacter": ?"-"', path.read_text()), path


def test_a_history_is_drawn_by_one_macro() -> None:
    lists = [
        path.name
        for path in FILES
        if re.search(r"<ol class=.(timeline|line)|<ol class=.{{", path.read_text())
    ]
    assert lists == ["parts.html"]
    users = {
        str(path.relative_to(TEMPLATES))
        for path in FILES
        if re.search(r"{[{%][^}]* timeline\(", path.read_text())
    }
    assert users == {
        "shared/parts.html",
        "storefront/_order_status.html",
        "portal/_order_live.html",
        "console/order.html",
        "console/dispute.html",
        "console/payment.html",
    }
