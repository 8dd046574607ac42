"""`.env.example`, written from the settings themselves, so that the two cannot disagree.

`python -m devkit.envfile > .env.example` renews it; a test compares.
"""

from __future__ import annotations

import dataclasses
import shlex
import textwrap

from core.base.config import Config

HEAD = """\
# Every setting of Makola. All of them come from the environment; no program reads this file by itself.
# Copy it to .env, fill it in, and load it before a command:  set -a; . ./.env; set +a
# `python3 dev.py up` needs none of them: it makes what is missing, and keeps what is set here.
"""
TOOLS = {
    "TEST_DATABASE_URL": (
        "the platform role's address of a PostgreSQL 18 database for the tests, whose name must end"
        " in _test, instead of a private server; tests never look at DATABASE_URL"
    ),
    "TEST_DATABASE_STORE_URL": "the stores' role's address of the same database",
    "TEST_DATABASE_ADMIN_URL": "the owner's address of the same database",
    "TEST_DATABASE_SUPERUSER_URL": "a superuser's address of the same database",
    "TEST_REDIS_URL": "Valkey or Redis for the tests instead of a private one; it is emptied",
    "MAKOLA_CHROMIUM": "path of the Chromium that drives the browser tests, if it is not on PATH",
    "MAKOLA_FORCE_WHEELS": (
        "1 makes dev.py ignore addresses of servers and start its private ones all the same"
    ),
}


def render() -> str:
    """The text of `.env.example`."""
    named = [field for field in dataclasses.fields(Config) if "env" in field.metadata]
    required = [field for field in named if field.default is dataclasses.MISSING]
    optional = [field for field in named if field.default is not dataclasses.MISSING]
    parts = [HEAD, "# ---- Required ----\n"]
    parts += [
        _entry(field.metadata["env"], field.metadata["help"], None)
        for field in required
    ]
    parts.append("# ---- Optional: the value shown is the default ----\n")
    parts += [
        _entry(field.metadata["env"], field.metadata["help"], _text(field.default))
        for field in optional
    ]
    parts.append("# ---- Only for dev.py ----\n")
    parts += [_entry(name, text, "") for name, text in TOOLS.items()]
    return "\n".join(parts)


def _entry(name: str, explanation: str, default: str | None) -> str:
    words = textwrap.fill(explanation[0].upper() + explanation[1:] + ".", 110)
    mark = "" if default is None else "#"
    return f"{textwrap.indent(words, '# ')}\n{mark}{name}={shlex.quote(default) if default else ''}\n"


def _text(default: object) -> str:
    if isinstance(default, bool):
        return str(int(default))
    if isinstance(default, float):
        return f"{default:g}"
    return str(default)


if __name__ == "__main__":
    print(render(), end="")
