"""Addresses of this shop's own pages."""

from __future__ import annotations

from flask import request


def own(path: str) -> str:
    """The address of a page in the language of this one: `/track`, or `/tw/track`."""
    return request.root_path + path
