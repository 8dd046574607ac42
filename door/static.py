"""Static files: a name with the content's hash in it, compressed once at start, cached for ever.

Decides addresses and headers of everything under /static/. Only fingerprinted names are served, so no file can be
stale, and no cookie or store is looked at for them.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from wsgiref.headers import Headers

from flask import Flask, current_app
from whitenoise import WhiteNoise

from core.config import Config
from door.security import FIXED

SOURCE = Path(__file__).resolve().parent.parent / "static"
_SERVED = {".css", ".js", ".svg", ".png", ".ico", ".webmanifest"}
_COMPRESSED = {".css", ".js", ".svg"}
_WORTH_IT = 0.95
"""A compressed twin is kept only when it is at most this part of the file."""


def install(app: Flask, config: Config) -> None:
    names = fingerprints(SOURCE)
    folder = build(SOURCE, names, Path(config.instance_dir) / "static")
    app.extensions["static_names"] = names
    app.wsgi_app = WhiteNoise(  # type: ignore[method-assign]
        app.wsgi_app,
        root=str(folder),
        prefix="static/",
        allow_all_origins=False,
        immutable_file_test=lambda _path, _url: True,
        add_headers_function=_dress,
    )


def _dress(headers: Headers, _path: str, _url: str) -> None:
    for name, value in FIXED.items():
        headers[name] = value
    headers["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'"


def static_url(name: str) -> str:
    """The address of `static/<name>`. Raises `KeyError` for a file that is not there: a page must not link to it."""
    return "/static/" + current_app.extensions["static_names"][name]


def fingerprints(source: Path) -> dict[str, str]:
    """`app.css` -> `app-1f0c9a2b7d34.css` for every served file under `source`."""
    names = {}
    for path in sorted(source.rglob("*")):
        if path.is_file() and path.suffix in _SERVED:
            name = path.relative_to(source).as_posix()
            stem, suffix = name[: -len(path.suffix)], path.suffix
            names[name] = f"{stem}-{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}{suffix}"
    return names


def build(source: Path, names: dict[str, str], target: Path) -> Path:
    """Write fingerprinted and compressed copies below `target` and return their folder.

    The folder is named by its content and appears by one rename, so processes that start together share it safely.
    """
    digest = hashlib.sha256("\n".join(names.values()).encode()).hexdigest()[:12]
    folder = target / digest
    if folder.is_dir():
        return folder
    target.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix="new-", dir=target))
    for name, shown in names.items():
        copy = fresh / shown
        copy.parent.mkdir(parents=True, exist_ok=True)
        content = (source / name).read_bytes()
        copy.write_bytes(content)
        if copy.suffix in _COMPRESSED:
            small = gzip.compress(content, 9, mtime=0)
            if len(small) < len(content) * _WORTH_IT:
                copy.with_name(copy.name + ".gz").write_bytes(small)
    fresh.chmod(0o755)
    try:
        os.rename(fresh, folder)
    except OSError:
        shutil.rmtree(fresh)
        if not folder.is_dir():
            raise
    return folder
