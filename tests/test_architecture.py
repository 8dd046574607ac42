"""The rules of the house that no import contract can see: architecture.md §7, each as a test."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from visitors import Visitor
from werkzeug.routing import Rule

from core.base import tenancy
from core.base.db import Model
from tests.support.written import dotted, nodes, text, tree

ROOT = Path(__file__).resolve().parent.parent
ROOMS = (
    "storefront",
    "agent_portal",
    "admin_console",
    "fulfilment",
    "operations",
    "edge",
    "http_server",
    "core",
    "integrations",
    "devkit",
    "supervision",
)

PUBLIC = {
    # room: the pages anybody may open
    "store": {
        "*"
        # the shop is for everyone; what an order shows is decided per device, see tests/storefront
    },
    "bare": {"/"},
    # its path is the key; its signature is; what the gateway asks is answered from our own rows
    "hooks": {"/datamart/<token>", "/paystack", "/paystack/approval"},
    # the link is the key, once
    "portal": {
        "/login",
        "/login/code",
        "/theme",
        "/reset/<token>",
        "/join/<token>",
        "/sign-up",
        "/sign-up/address",
        "/notices.js",
    },
    "admin": {"/login", "/login/code", "/theme", "/reset/<token>"},
}
GLOBAL_TABLES = {
    "stores", "users", "memberships", "sessions", "login_counts", "known_devices", "bundles",
    "supplier_offers", "sync_reports", "settings",
    "buying", "delivery_estimates",
    "supplier_calls", "webhook_events", "balance_reads", "supplier_state", "audit", "audit_seals",
    "proofs", "pulses",
    "reset_links", "confirmations", "invitations", "second_steps", "recovery_codes", "new_devices",
    "former_addresses", "gateway_days", "gateway_lines", "gateway_settlements",
}  # fmt: skip
ACROSS_STORES = {
    # file: why it may see every store
    "core/base/tenancy.py": "defines it",
    "core/signing_up.py": "makes a store, which has no walls before it is there",
    "edge/bind.py": "opens the console's requests, logged-in owners only",
    "edge/metrics.py": "adds up every store, for who has the operator's token",
}
LONGER = {
    # file: how long it may be. One table each, which reads better in one piece:
    "core/base/rights.py": 510,  # every right of every role
    "core/base/environment.py": 375,  # every setting of the operator's
    "core/orders/model.py": 315,  # every column of an order
    "core/proof/seals.py": 370,  # the statements of one chain
    "integrations/sandbox/store.py": 360,  # the sandbox's tables
    "integrations/sandbox/faults.py": 340,  # every fault of its plan
}
FEW_BRANCHES = ("core",)
BRANCHES = (
    ast.If,
    ast.IfExp,
    ast.For,
    ast.While,
    ast.ExceptHandler,
    ast.Assert,
    ast.comprehension,
    ast.match_case,
)
ACROSS_ROOMS = ("fulfilment/", "operations/", "admin_console/")


def sources(*folders: str) -> Iterator[Path]:
    for folder in folders or ROOMS:
        yield from sorted((ROOT / folder).rglob("*.py"))
    if not folders:
        yield ROOT / "wsgi.py"


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_nothing_imports_wsgi() -> None:
    found = [
        name_of(path)
        for path in sources()
        if re.search(r"^\s*(import|from) wsgi\b", text(path), re.MULTILINE)
    ]
    assert found == []


def test_importing_wsgi_reads_no_environment() -> None:
    tree = ast.parse((ROOT / "wsgi.py").read_text())
    at_module_level = [
        node
        for node in tree.body[1:]
        if not isinstance(node, ast.FunctionDef | ast.ClassDef)
    ]
    said = "\n".join(ast.unparse(node) for node in at_module_level)
    assert "environ" not in said and "create_app(" not in said


@pytest.mark.slow(seconds=0.7)
def test_only_core_db_commits() -> None:
    found = []
    for path in sources(
        "storefront",
        "agent_portal",
        "admin_console",
        "fulfilment",
        "operations",
        "edge",
        "core",
    ):
        if not re.search(r"\.\s*(commit|begin)", text(path)):
            continue
        for node in nodes(path):
            if isinstance(node, ast.Call) and re.fullmatch(
                r".*(session|connection|conn|db)(\(\))?\.(commit|begin|begin_nested)",
                ast.unparse(node.func),
            ):
                found.append(name_of(path))
    assert set(found) <= {"core/base/db.py"}, (
        "verbs open `transaction()`; nobody else commits"
    )


def test_advisory_locks_have_their_numbers_from_one_place() -> None:
    """`core.base.locks.Lock`, where no number can stand twice."""
    for path in sources():
        for call in re.findall(r"pg_(?:try_)?advisory\w*\(([^)]*)", text(path)):
            assert not re.search(r"\d{3}", call), f"{name_of(path)}: {call}"


def test_seeing_every_store_has_a_reason() -> None:
    for path in sources():
        name = name_of(path)
        if (
            "across_stores" not in text(path)
            or name in ACROSS_STORES
            or name.startswith(ACROSS_ROOMS)
        ):
            continue
        assert not users_of("across_stores", path), f"{name} opens every store"


def users_of(word: str, path: Path) -> set[str]:
    """The functions of `path` that call `word`, module level as `<module>`."""
    found: set[str] = set()
    if word not in text(path):
        return found

    def walk(node: ast.AST, inside: str) -> None:
        for child in ast.iter_child_nodes(node):
            here = child.name if isinstance(child, ast.FunctionDef) else inside
            if (
                isinstance(child, ast.Call)
                and dotted(child.func).split(".")[-1] == word
            ):
                found.add(here)
            walk(child, here)

    walk(tree(path), "<module>")
    return found


def test_only_the_scope_itself_is_set_at_the_doors() -> None:
    allowed = (
        "core/base/tenancy.py",
        "core/base/in_store.py",
        "edge/bind.py",
        "fulfilment/",
    )
    found = [
        name_of(path)
        for path in sources()
        if re.search(r"\btenancy\.(use|inside)\(", text(path))
        and not name_of(path).startswith(allowed)
    ]
    assert found == []


def test_every_model_belongs_to_a_store_or_is_listed() -> None:
    scoped = {
        mapper.class_.__tablename__
        for mapper in Model.registry.mappers
        if hasattr(mapper.class_, "store_id")
    }
    scoped -= GLOBAL_TABLES
    for mapper in Model.registry.mappers:
        cls = mapper.class_
        if cls.__tablename__ in scoped:
            assert issubclass(
                cls, tenancy.StoreScoped | tenancy.StoreOrPlatformScoped
            ), f"{cls.__name__} has a store but no scope"
    assert {
        mapper.class_.__tablename__ for mapper in Model.registry.mappers
    } - scoped <= GLOBAL_TABLES


def test_no_bare_except_exception_where_business_is_done() -> None:
    found = []
    for path in sources("core", "storefront", "agent_portal", "admin_console", "edge"):
        if not re.search(r"except\s*:|Exception", text(path)):
            continue
        for node in nodes(path):
            if isinstance(node, ast.ExceptHandler) and (
                node.type is None
                or ast.unparse(node.type) in ("Exception", "BaseException")
            ):
                found.append(f"{name_of(path)}:{node.lineno}")
    # core/base/db.py rolls back and raises on; anything else hides bugs and a worker's time limit
    assert [place for place in found if not place.startswith("core/base/db.py")] == []


def test_templates_hold_no_script_no_style_attribute_and_nothing_unescaped() -> None:
    bad = re.compile(
        r"<script(?![^>]*\bsrc=)|\sstyle=|\son[a-z]+=|javascript:|\bhx-on|\|\s*safe\b|autoescape"
        r" false|data-hx-vals=.js:"
    )
    found = [
        f"{name_of(path)}: {match.group()}"
        for path in sorted((ROOT / "templates").rglob("*.html"))
        for match in bad.finditer(text(path))
    ]
    assert found == []


def test_templates_are_light_to_read() -> None:
    """At most one line in a hundred of the templates is over 160 columns.

    A line may be broken without a byte more in the page: inside `{{ }}` and `{% %}`, before
    `{{-` and `{%-`, after `-}}` and `-%}`, and before an empty comment, `{#- #}`.
    """
    lines = [
        (f"{name_of(path)}:{number}", line)
        for path in sorted((ROOT / "templates").rglob("*.*"))
        for number, line in enumerate(text(path).splitlines(), 1)
    ]
    wide = [place for place, line in lines if len(line) > 160]
    assert len(lines) > 2_000
    assert len(wide) <= len(lines) / 100, wide


def test_htmx_attributes_are_valid_html() -> None:
    """Bare `hx-…` and `hx-…:…` are no HTML; with metaCharacter "-" everything can be
    `data-hx-…`."""
    bare = re.compile(r"[\s\"'](?<!data-)hx-[a-z-]+\s*=|data-hx-[a-z-]+:")
    found = [
        name_of(p)
        for p in sorted((ROOT / "templates").rglob("*.html"))
        if bare.search(text(p))
    ]
    assert found == []


def routes(app: Flask) -> list[Rule]:
    return [rule for rule in app.url_map.iter_rules() if rule.subdomain in PUBLIC]


def test_every_route_is_in_a_room(app: Flask) -> None:
    assert {rule.subdomain for rule in app.url_map.iter_rules()} <= set(PUBLIC)


def test_every_route_is_guarded_or_listed_public(
    app: Flask, visitor: Callable[[str], Visitor]
) -> None:
    asked = 0
    for rule in routes(app):
        public = PUBLIC[str(rule.subdomain)]
        if "*" in public or rule.rule in public:
            continue
        path = re.sub(r"<int[^>]*>", "1", rule.rule)
        path = re.sub(r"<[^>]+>", "K7QM2XR94T", path)
        stranger = visitor(str(rule.subdomain))
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            answer = stranger.get(path) if method == "GET" else stranger.post(path, {})
            assert answer.status_code == 303, (rule.rule, method)
            assert answer.headers["Location"].startswith("/login"), (rule.rule, method)
            asked += 1
    assert asked >= 20


def test_get_changes_nothing(app: Flask) -> None:
    """A page that may be read may also be prefetched: what changes things has a POST of its own."""
    for rule in routes(app):
        assert not {"GET", "POST"} <= (rule.methods or set()), (
            f"{rule.rule} takes GET and POST in one view"
        )


def test_types_are_checked_in_every_room() -> None:
    """A room that mypy is not told of would be checked only where another one imports it."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]
    assert settings["strict"] is True
    assert set(settings["packages"]) == {*ROOMS, "migrations"}
    assert set(settings["modules"]) == {path.stem for path in ROOT.glob("*.py")}
    assert "overrides" not in settings and "exclude" not in settings


@pytest.mark.parametrize("folder", ROOMS)
def test_files_stay_short_and_open_with_what_they_decide(folder: str) -> None:
    for path in sources(folder):
        written = text(path)
        most = LONGER.get(name_of(path), 300)
        assert len(written.splitlines()) <= most, (
            f"{name_of(path)} is over {most} lines"
        )
        if written.strip() and not re.match(r'"""\w', written):
            assert ast.get_docstring(tree(path)), (
                f"{name_of(path)} does not say what it decides"
            )


@pytest.mark.parametrize("folder", FEW_BRANCHES)
def test_functions_decide_little(folder: str) -> None:
    """Stricter than C901: conditional expressions, comprehensions and each `and` and `or` count."""
    found = {
        f"{name_of(path)}:{node.lineno} {node.name}": branches(node)
        for path in sources(folder)
        for node in nodes(path)
        if isinstance(node, ast.FunctionDef)
    }
    assert found and {name: many for name, many in found.items() if many > 12} == {}


def branches(function: ast.FunctionDef) -> int:
    """One, and one more for each place where it may go on in two ways; functions within it count by
    themselves."""
    many = 1
    todo = list(ast.iter_child_nodes(function))
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.Lambda):
            continue
        if isinstance(node, BRANCHES):
            many += 1
        if isinstance(node, ast.BoolOp):
            many += len(node.values) - 1
        todo += ast.iter_child_nodes(node)
    return many


def test_every_kind_of_outbox_row_has_a_handler() -> None:
    from core import outbox
    from fulfilment import jobs, line

    assert set(jobs.HANDLERS) == set(outbox.KINDS)
    module, _, name = line.JOB.rpartition(".")
    assert module == jobs.__name__ and callable(getattr(jobs, name))


@pytest.mark.slow(seconds=1.5)
def test_one_place_buys() -> None:
    """Exactly one function may call the purchase endpoint."""
    found = [
        f"{name_of(path)}:{function}"
        for path in sources(
            "core", "storefront", "agent_portal", "admin_console", "fulfilment"
        )
        for word in ("submit", "submit_bulk")
        for function in users_of(word, path)
    ]
    assert set(found) == {"fulfilment/buying/purchase.py:call"} and len(found) == 2, (
        found
    )


def test_the_clock_is_the_only_source_of_time() -> None:
    """Or a test could not jump it, and a wall clock set forward could send twice. `time.monotonic`
    only measures."""
    wall = re.compile(
        r"\b(datetime\.(now|utcnow|today)|date\.today|time\.(time|time_ns)|func\.now)\(|CURRENT_TIMESTAMP"
    )
    rooms = (
        "storefront",
        "agent_portal",
        "admin_console",
        "fulfilment",
        "operations",
        "edge",
        "core",
        "integrations",
    )
    found = {name_of(path) for path in sources(*rooms) if wall.search(text(path))}
    own = {
        name
        for name in found
        if not name.startswith(
            ("integrations/sandbox/", "integrations/paystack_sandbox/")
        )
    }  # another company's clock
    assert own == {
        "core/base/clock.py",
        "edge/static.py",
    }  # the second compares with the ages of files


def test_the_rooms_of_core_are_drawn_as_they_are_held() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"][
        "importlinter"
    ]["contracts"]
    (held,) = (each["layers"] for each in contracts if each["name"] == "Inside core")
    page = (ROOT / "docs" / "architecture.md").read_text()
    picture = page.partition("Inside `core`, from top to bottom:\n\n")[2]
    picture = picture.partition("\n\n")[0]
    drawn = re.findall(r"(?m)^    ([a-z_]+(?: \| [a-z_]+)*)(?:  |$)", picture)
    assert drawn == held


def test_migrations_have_one_head() -> None:
    from alembic.config import Config as AlembicConfig
    from alembic.script import ScriptDirectory

    script = ScriptDirectory.from_config(
        AlembicConfig(str(ROOT / "migrations" / "alembic.ini"))
    )
    assert len(script.get_heads()) == 1


@pytest.mark.slow(seconds=3)
def test_what_only_migrations_need_is_read_for_them_alone() -> None:
    """Every process of the program starts without it, an eighth sooner."""
    said = "import sys, wsgi; print(*sorted({'alembic', 'mako'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", said],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == []


def test_what_a_browser_shows_is_waited_for() -> None:
    """After a press the next page may be there without its body: a count or a look at once sees
    nothing. `expect` asks until it is so."""
    at_once = re.compile(
        r"(?m)^\s*assert .*(?:locator\(.*\)\.count\(\)|\.is_(?:visible|hidden)\()"
    )
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for line in at_once.findall(text(path))
    ]
    assert found == []
