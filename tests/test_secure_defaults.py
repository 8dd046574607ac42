"""What docs/security.md says of the whole program and no other test holds: what is never called,
sent or left open."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import itsdangerous
import pytest
import tables_owner
from flask import Flask
from sqlalchemy import update
from visitors import Visitor

from core.accounts.users import User
from core.base import hashing
from tests.support.written import dotted, nodes

pytestmark = pytest.mark.slow(seconds=0.3)

ROOT = Path(__file__).resolve().parent.parent
RUNS = (
    "core",
    "edge",
    "http_server",
    "storefront",
    "agent_portal",
    "admin_console",
    "fulfilment",
    "operations",
    "integrations",
)
NEVER_CALLED = re.compile(
    r"(builtins\.)?(eval|exec|compile|__import__)|os\.(system|popen|exec\w*|spawn\w*)|render_template_string"
    r"|.*\.from_string|importlib\.import_module|hashlib\.(md5|sha1)|ssl\._create_unverified_context"
)
NEVER_IMPORTED = {
    "pickle",
    "marshal",
    "shelve",
    "dill",
    "yaml",
    "xml",
    "lxml",
    "ldap",
    "telnetlib",
    "smtplib",
}
NEVER_SAID = {
    "shell": True,
    "verify": False,
    "autoescape": False,
    "debug": True,
    "check_hostname": False,
}
CHANCE_WITHOUT_SECRETS = {
    "core/base/clock.py": "jitter",
    "core/base/db.py": "the pause between two tries",
}


def sources() -> Iterator[tuple[str, Path]]:
    """Every file that runs in production. The sandbox supplier and gateway do not."""
    for path in [
        ROOT / "wsgi.py",
        *(found for folder in RUNS for found in sorted((ROOT / folder).rglob("*.py"))),
    ]:
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith(
            ("integrations/sandbox/", "integrations/paystack_sandbox/")
        ):
            yield name, path


@cache
def imported(path: Path) -> set[str]:
    """The first words of all modules a file imports."""
    found: set[str] = set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add((node.module or "").partition(".")[0])
    return found


def test_nothing_runs_text_reads_foreign_objects_or_opens_a_shell() -> None:
    seen = 0
    for name, path in sources():
        seen += 1
        assert not imported(path) & NEVER_IMPORTED, name
        for node in nodes(path):
            if isinstance(node, ast.Call):
                assert not NEVER_CALLED.fullmatch(dotted(node.func)), (
                    f"{name}: {ast.unparse(node)[:80]}"
                )
                for word in node.keywords:
                    said = (
                        word.value.value
                        if isinstance(word.value, ast.Constant)
                        else None
                    )
                    assert NEVER_SAID.get(str(word.arg), ...) is not said, (
                        f"{name}: {ast.unparse(node)[:80]}"
                    )
    assert seen > 100


def test_what_nobody_may_guess_never_comes_from_ordinary_chance() -> None:
    assert {name for name, path in sources() if "random" in imported(path)} == set(
        CHANCE_WITHOUT_SECRETS
    )
    assert [name for name, path in sources() if "uuid" in imported(path)] == [
        "core/base/clock.py"
    ], "names a machine"


def test_scripts_of_ours_never_read_markup_or_code_from_text() -> None:
    """`innerHTML` puts back a button's own words; everything from a server or a person goes through
    textContent."""
    for path in sorted((ROOT / "static").glob("*.js")):
        if ".min." in path.name:
            continue
        text = path.read_text()
        assert re.findall(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function",
            text,
        ) == (["innerHTML", "innerHTML"] if path.name == "makola.js" else []), path.name
        assert (
            "postMessage" not in text
            and "__proto__" not in text
            and "Object.assign" not in text
        ), path.name


def test_every_password_field_is_masked_and_open_to_password_managers() -> None:
    fields = []
    for path in sorted((ROOT / "templates").rglob("*.html")):
        for call in re.findall(
            r'field\("[a-z_]*password[a-z_]*",[^}]*\}\}', path.read_text()
        ):
            fields.append(path.name)
            assert 'type="password"' in call, path
            assert re.search(r'autocomplete="(current|new)-password"', call), path
    assert len(fields) >= 2
    everything = "".join(
        path.read_text() for path in (ROOT / "static").glob("[!h]*.js")
    )
    assert "paste" not in everything


HOSTS = ("ama", "portal", "admin", "hooks", "nobody")


def test_trace_is_answered_by_no_page(app: Flask) -> None:
    for host in HOSTS:
        for path in (
            "/",
            "/login",
            "/orders",
            "/healthz",
            "/metrics",
            "/static/none.css",
        ):
            answer = app.test_client().open(
                path,
                method="TRACE",
                base_url=f"http://{host}.localhost",
                headers={"X-Mine": "echo-me"},
            )
            assert "echo-me" not in answer.text, (host, path)
            assert answer.status_code >= 400 or path == "/healthz", (host, path)


def test_every_answer_names_what_it_is(
    app: Flask, ama_agent: Visitor, owner: Visitor
) -> None:
    client, css = app.test_client(), app.extensions["static_names"]["app.css"]
    answers = [
        client.get(path, base_url="http://ama.localhost")
        for path in (
            "/",
            "/track",
            "/no-page",
            "/robots.txt",
            "/manifest.webmanifest",
            "/preview.png",
            "/icon-192.png",
            "/sw.js",
            "/offline",
            "/healthz",
            f"/static/{css}",
        )
    ]
    answers += [
        visitor.get(path)
        for visitor in (ama_agent, owner)
        for path in ("/", "/orders", "/no-page")
    ]
    answers.append(ama_agent.get("/wallet.csv"))
    for answer in answers:
        kind = answer.headers["Content-Type"]
        text = kind.startswith("text/")
        assert answer.data
        assert (
            "charset=utf-8" in kind.lower().replace('"', "")
            if text
            else kind.partition(";")[0] in TYPES
        ), kind
        answer.close()


TYPES = {"application/json", "application/manifest+json", "image/png"}


@pytest.mark.parametrize(
    ("change", "opens"),
    [
        (str, True),
        (str.swapcase, False),
        (lambda typed: typed[:72], False),
        (lambda typed: typed + "x", False),
    ],
    ids=["as it is", "other case", "cut", "longer"],
)
def test_a_long_password_counts_whole_and_in_its_case(
    app: Flask, change: Callable[[str], str], opens: bool
) -> None:
    password = "Correct HORSE é battery \N{SNOWMAN} " + "x" * 64
    kept = hashing.make(password)
    tables_owner.execute(
        update(User).where(User.email == "ama@example.test").values(password_hash=kept)
    )
    answer = Visitor(app, "portal").post(
        "/login", {"email": "ama@example.test", "password": change(password)}
    )
    assert answer.status_code == (303 if opens else 422)


def test_a_form_older_than_any_session_is_refused(
    ama_agent: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    age_s = 43_200 + 60
    made = itsdangerous.TimestampSigner.get_timestamp
    with monkeypatch.context() as earlier:
        earlier.setattr(
            itsdangerous.TimestampSigner,
            "get_timestamp",
            lambda signer: made(signer) - age_s,
        )
        token = ama_agent.csrf_token
    assert (
        ama_agent.post(
            "/theme", {"theme": "dark", "csrf_token": token}, csrf=False
        ).status_code
        == 400
    )
    assert ama_agent.post("/theme", {"theme": "dark"}).status_code == 303
