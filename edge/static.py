"""Static files: minified and compressed once at start, under a name with the content's hash in it,
cached for ever.

Decides addresses and headers of everything under /static/, and what is minified. Only fingerprinted
names are served, so no file can be stale, and no cookie or store is looked at for them. Style
sheets that stand in the pages are in `app.extensions["inline_css"]`, by name.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from wsgiref.headers import Headers

import brotli
import rcssmin
import rjsmin
from flask import current_app
from whitenoise import WhiteNoise

from core.base.config import Config
from edge import hosts
from edge.hosts import Makola
from edge.security import FIXED

SOURCE = Path(__file__).resolve().parent.parent / "static"
INLINE = SOURCE / "inline"
"""Style sheets that stand in the pages themselves, and the service workers, which have addresses of
their own (`storefront.offline`, `agent_portal.notices`)."""
PREFIX = "/static/"
KEEP_S = 30 * 86_400
"""How long a file no start has asked for stays, for pages opened before a deploy."""
_SERVED = {".css", ".js", ".svg", ".png", ".ico", ".webmanifest"}
_COMPRESSED = {".css", ".js", ".svg"}
_WORTH_IT = 0.95
"""A compressed twin is kept only when it is at most this part of the file."""
_NAME = re.compile(r"[A-Za-z0-9._-]+-[0-9a-f]{12}\.[a-z]+")


def install(app: Makola, config: Config) -> None:
    names = fingerprints(SOURCE)
    folder = build(SOURCE, names, Path(config.instance_dir) / "static")
    app.extensions["static_names"] = names
    app.extensions["inline_css"] = {
        path.name: minified(path).decode() for path in INLINE.glob("*.css")
    }
    app.extensions["service_worker_js"] = minified(INLINE / "sw.js").decode()
    app.extensions["notices_worker_js"] = minified(INLINE / "notices_sw.js").decode()
    app.wrap(lambda inner: Files(inner, folder))


class Files(WhiteNoise):
    """WhiteNoise over the built folder, which also finds what another process has built since.

    While a deploy is under way, a page made by the new code may ask an old process for its
    stylesheet.
    """

    def __init__(
        self, application: Callable[..., Iterable[bytes]], folder: Path
    ) -> None:
        super().__init__(
            application,
            root=str(folder),
            prefix=PREFIX,
            allow_all_origins=False,
            immutable_file_test=lambda _path, _url: True,
            add_headers_function=_add_headers,
        )
        self._folder = folder

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if (
            path.startswith(PREFIX)
            and path not in self.files
            and _NAME.fullmatch(path[len(PREFIX) :])
        ):
            file = self._folder / path[len(PREFIX) :]
            if file.is_file():
                self.add_file_to_dictionary(path, str(file))
        return super().__call__(environ, start_response)


def _add_headers(headers: Headers, _path: str, _url: str) -> None:
    for name, value in FIXED.items():
        headers[name] = value
    headers["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'"


def static_url(name: str) -> str:
    """The address of `static/<name>`. Raises `KeyError` for a file that is not there: a page must
    not link to it."""
    names: dict[str, str] = hosts.application().extensions["static_names"]
    return PREFIX + names[name]


def inline_css(name: str) -> str:
    """What is shown of `static/inline/<name>`."""
    sheets: dict[str, str] = current_app.extensions["inline_css"]
    return sheets[name]


def minified(path: Path) -> bytes:
    """What is served of a file: our own style sheets and scripts minified, everything else as it
    is."""
    if path.suffix == ".css":
        return rcssmin.cssmin(path.read_text(encoding="utf-8")).encode()
    if path.suffix == ".js" and ".min." not in path.name:
        return rjsmin.jsmin(path.read_text(encoding="utf-8")).encode()
    return path.read_bytes()


def fingerprints(source: Path) -> dict[str, str]:
    """`app.css` -> `app-1f0c9a2b7d34.css` for every served file in `source`."""
    return {
        path.name: f"{path.stem}-{hashlib.sha256(minified(path)).hexdigest()[:12]}{path.suffix}"
        for path in sorted(source.iterdir())
        if path.is_file() and path.suffix in _SERVED
    }


@functools.lru_cache(maxsize=64)
def _twins(content: bytes) -> dict[str, bytes]:
    """`content` compressed, by the ending of each way that is worth it. Once a process: a test
    session builds dozens of applications, and each file costs seven milliseconds."""
    twins = {
        "br": brotli.compress(content),
        "gz": gzip.compress(content, 9, mtime=0),
    }
    worth = len(content) * _WORTH_IT
    return {kind: small for kind, small in twins.items() if len(small) < worth}


def build(source: Path, names: dict[str, str], folder: Path) -> Path:
    """Write fingerprinted and compressed copies into `folder` and return it.

    A name stands for one content, and each file appears whole by a rename, so processes that start
    together or hold different versions share the folder safely. Files nobody has asked for in
    `KEEP_S` go.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted: dict[str, bytes] = {}
    for name, shown in names.items():
        content = wanted[shown] = minified(source / name)
        if Path(shown).suffix in _COMPRESSED:
            wanted |= {
                f"{shown}.{kind}": small for kind, small in _twins(content).items()
            }
    for shown, content in wanted.items():
        _put(folder / shown, content)
    for old in folder.iterdir():
        if old.name not in wanted and old.stat().st_mtime < time.time() - KEEP_S:
            old.unlink(missing_ok=True)
    return folder


def _put(path: Path, content: bytes) -> None:
    try:
        os.utime(path)
        return
    except FileNotFoundError:
        pass
    handle, fresh = tempfile.mkstemp(prefix=".new-", dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    os.chmod(fresh, 0o644)
    os.rename(fresh, path)
