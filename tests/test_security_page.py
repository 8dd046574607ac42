"""docs/security.md is true: every requirement once, every named file and test there, every route,
cookie, header listed."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from flask import Flask
from visitors import Visitor

from edge import hosts, security
from tests.support.written import names_in, nodes, text, tree

TESTS = Path(__file__).resolve().parent
ROOT = TESTS.parent
TEXT = (ROOT / "docs" / "security.md").read_text()
ROOMS = ("edge", "storefront", "agent_portal", "admin_console", "fulfilment", "core")

LEVELS = {
    "1.1": "22", "1.2": "1111122223", "1.3": "112222222223", "1.4": "222", "1.5": "123",
    "2.1": "122", "2.2": "112", "2.3": "12223", "2.4": "23",
    "3.1": "3", "3.2": "113", "3.3": "12223", "3.4": "11222233", "3.5": "11122333", "3.6": "3",
    "3.7": "22333",
    "4.1": "12233", "4.2": "23333", "4.3": "22", "4.4": "1222",
    "5.1": "2", "5.2": "112333", "5.3": "113", "5.4": "222",
    "6.1": "122", "6.2": "111111112222", "6.3": "11223333", "6.4": "112233", "6.5": "22222333",
    "6.6": "2223",
    "6.7": "33", "6.8": "2222",
    "7.1": "222", "7.2": "1111", "7.3": "22", "7.4": "11222", "7.5": "223", "7.6": "22",
    "8.1": "1233", "8.2": "1123", "8.3": "133", "8.4": "23",
    "9.1": "111", "9.2": "1222",
    "10.1": "22", "10.2": "223", "10.3": "22223", "10.4": "1111122222233333", "10.5": "22222",
    "10.6": "22",
    "10.7": "222",
    "11.1": "2233", "11.2": "22233", "11.3": "11233", "11.4": "1222", "11.5": "23", "11.6": "23",
    "11.7": "33",
    "12.1": "12233", "12.2": "11", "12.3": "22223",
    "13.1": "2333", "13.2": "222223", "13.3": "2233", "13.4": "1222233",
    "14.1": "22", "14.2": "12223333", "14.3": "122",
    "15.1": "12233", "15.2": "12233", "15.3": "1222222", "15.4": "3333",
    "16.1": "2", "16.2": "22222", "16.3": "2222", "16.4": "222", "16.5": "2223",
    "17.1": "23", "17.2": "22223333", "17.3": "22",
}  # fmt: skip
"""Section of ASVS 5.0.0 → the levels of its requirements, one digit each, from the first on."""

LEVEL_OF = {
    f"{section}.{n}": int(level)
    for section, digits in LEVELS.items()
    for n, level in enumerate(digits, 1)
}
WANTED = {requirement: level for requirement, level in LEVEL_OF.items() if level < 3}
STATES = ("met", "partly", "not", "n/a")
ROWS = re.findall(
    r"(?m)^\| (\d+\.[\d.]*[\d*])(?: \((\d+)\))? \| ([12, ]+) \| (.+?) \| (\S+) \| (.*?) \|"
    r" (.+?) \|$",
    TEXT,
)
READ = "by reading"


def covered(name: str) -> list[str]:
    """The requirements of levels 1 and 2 that a row is about: `6.5.*` is all of section 6.5."""
    return [
        each
        for each in WANTED
        if each == name or (name.endswith("*") and each.startswith(name[:-1]))
    ]


def section(title: str) -> str:
    """The text under a heading of the page."""
    return TEXT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_the_standard_is_counted_right() -> None:
    """70, 183 and 92 requirements of the three levels, as the standard itself says."""
    assert [Counter(LEVEL_OF.values())[level] for level in (1, 2, 3)] == [70, 183, 92]


def test_every_requirement_stands_once() -> None:
    stands = Counter(each for name, *_ in ROWS for each in covered(name))
    assert {each: stands[each] for each in WANTED if stands[each] != 1} == {}
    lines = re.findall(r"(?m)^\| \d+\.\S+ .*$", TEXT.partition("\n## OWASP ASVS")[2])
    assert len(lines) == len(ROWS), "a row of the table cannot be read"
    assert len(ROWS) > 150


def test_a_row_says_its_level_its_state_and_what_holds_it() -> None:
    for name, count, levels, _short, state, how, tests in ROWS:
        about = covered(name)
        assert about and str(len(about)) == (count or "1"), name
        told = ", ".join(map(str, sorted({WANTED[each] for each in about})))
        assert levels == told, name
        assert state in STATES, name
        assert len(how) > 4, f"{name}: how, or why not"
        if state == "met":
            assert "::test_" in tests or tests == READ, name
        if state in ("not", "n/a"):
            assert tests == "–" or state == "not", name


def test_the_counts_at_the_top_are_those_of_the_rows() -> None:
    counted: Counter[tuple[int, str]] = Counter()
    for name, _count, _levels, _short, state, _how, _tests in ROWS:
        counted.update((WANTED[each], state) for each in covered(name))
    lines = [[counted[level, state] for state in STATES] for level in (1, 2)]
    lines.append([one + two for one, two in zip(*lines, strict=True)])
    told = re.findall(
        r"(?m)^\| (?:1|2|both) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|$", TEXT
    )
    assert [[int(number) for number in line] for line in told] == [
        [*line, sum(line)] for line in lines
    ]
    assert sum(lines[-1]) == len(WANTED) == 253
    (read,) = re.findall(r"or\s+this\s+page:\s+so\s+(\d+)\s+of\s+the\s+rows", TEXT)
    assert int(read) == sum(tests == READ for *_, tests in ROWS)


NAMED = sorted(set(re.findall(r"`([\w/]+\.py)((?:::\w+)+)`", TEXT)))
FILES = sorted(set(re.findall(r"`((?:[\w.-]+/)+[\w.-]+\.\w+|[a-z_]+\.py)`", TEXT)))


def test_the_tests_it_names_exist() -> None:
    assert [
        (file, name)
        for file, name in NAMED
        if not (TESTS / file).is_file()
        or name.removeprefix("::") not in names_in(TESTS / file)
    ] == []


def test_every_file_it_names_exists() -> None:
    assert len(NAMED) > 100 and len(FILES) > 20
    assert [
        file
        for file in FILES
        if not (ROOT / file).is_file() and not (TESTS / file).is_file()
    ] == []
    for title in re.findall(
        r"\*([A-Z][^*,]{8,}?)\*(?= (?:above|in operate\.md)|[:,])",
        TEXT.partition("\n## OWASP")[2],
    ):
        everywhere = TEXT + (ROOT / "docs" / "operate.md").read_text()
        assert (
            re.search(rf"(?m)^#+ {re.escape(title)}", everywhere) or title == "By field"
        ), title


def test_every_route_is_listed_in_its_room(app: Flask) -> None:
    listed: list[tuple[str, str]] = []
    for room, routes in re.findall(
        r"(?m)^\| (\w+) \| [^|]+ \| ((?:`(?:GET|POST) [^`]+` ?)+)\|$",
        section("Who may what"),
    ):
        listed += [(room, route) for route in re.findall(r"`([^`]+)`", routes)]
    served = {
        (str(rule.subdomain), f"{method} {re.sub('<[^>]*:', '<', rule.rule)}")
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert Counter(listed) == Counter(served), (
        "docs/security.md, 'Who may what', lists other routes than there are"
    )


def cookie_calls() -> Iterator[tuple[str, ast.Call, ast.Module]]:
    for path in (path for room in ROOMS for path in sorted((ROOT / room).glob("*.py"))):
        if "_cookie" not in text(path):
            continue
        for node in nodes(path):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(
                (".set_cookie", ".delete_cookie")
            ):
                yield path.name, node, tree(path)


def test_every_cookie_is_listed_and_locked(app: Flask) -> None:
    rows = re.findall(r"(?m)^\| `([\w-]+)` \|[^|]+\| ([^|]+) \|", section("Cookies"))
    assert {flags for _name, flags in rows} == {
        "Secure, HttpOnly, SameSite=Lax, Path=/"
    }
    named = {str(app.config["SESSION_COOKIE_NAME"])}
    for file, call, whole in cookie_calls():
        said = {
            word.arg: word.value.value
            for word in call.keywords
            if isinstance(word.value, ast.Constant)
        }
        locks = {"secure": True, "httponly": True, "samesite": "Lax", "path": "/"}
        assert {lock: said.get(lock) for lock in locks} == locks, (
            f"{file}: {ast.unparse(call)}"
        )
        assert "domain" not in said, f"{file}: {ast.unparse(call)}"
        first = call.args[0]
        if isinstance(first, ast.Name):  # a constant of the module
            (first,) = (
                node.value
                for node in whole.body
                if isinstance(node, ast.Assign)
                and ast.unparse(node.targets[0]) == first.id
            )
        assert isinstance(first, ast.Constant), (
            f"{file}: a cookie's name is written down"
        )
        named.add(str(first.value))
    assert named == {name for name, _flags in rows}
    assert all(name.startswith("__Host-") for name in named)
    for name, value in (
        ("SECURE", True),
        ("HTTPONLY", True),
        ("SAMESITE", "Lax"),
        ("DOMAIN", None),
        ("PATH", "/"),
    ):
        assert app.config[f"SESSION_COOKIE_{name}"] == value


def test_every_header_is_listed(app: Flask, ama_agent: Visitor, owner: Visitor) -> None:
    listed = set(re.findall(r"`([A-Z][A-Za-z-]+)`", section("Headers")))
    for name, value in {
        **security.FIXED,
        security.STRICT_TRANSPORT[0]: security.STRICT_TRANSPORT[1],
    }.items():
        assert re.search(rf"(?m)^\| `{name}` \|.*\| `{re.escape(value)}` \|$", TEXT), (
            name
        )
    assert f"`{security.policy([], hosts.STORE)}`" in section("Headers")
    client, css = app.test_client(), app.extensions["static_names"]["app.css"]
    paths = (
        "/",
        "/orders",
        "/track?code=x",
        "/nowhere",
        "/healthz",
        "/metrics",
        f"/static/{css}",
        "/robots.txt",
    )
    answers = [client.get(path, base_url="https://ama.localhost") for path in paths]
    answers += [
        ama_agent.get(path) for path in ("/", "/wallet.csv", "/orders/news", "/nowhere")
    ]
    answers += [owner.get(path) for path in ("/", "/audit", "/supplier/panel")]
    answers += [Visitor(app, "portal").get(path) for path in ("/login", "/orders")]
    answers.append(
        client.delete(
            "/",
            base_url="http://ama.localhost",
            headers={"Origin": "http://ama.localhost"},
        )
    )
    sent = {name for answer in answers for name, _value in answer.headers}
    for answer in answers:
        answer.close()
    assert sent - listed == set(), "docs/security.md, 'Headers', does not list these"
    assert {
        "Set-Cookie",
        "Location",
        "Allow",
        "Content-Disposition",
        "Strict-Transport-Security",
    } <= sent
