"""A browser in a few words a person knows: `Chrome on Android`.

Decides only that, and whether it keeps our cookies. User agents are hostile text of any length;
nothing of them but words of this table is kept.
"""

from __future__ import annotations

from collections.abc import Iterable

_LONGEST = 1_000
# Order matters: most browsers also claim to be the ones below them.
_BROWSERS = {
    "WhatsApp/": "WhatsApp",
    "FBAN/": "Facebook",
    "FBAV/": "Facebook",
    "OPR/": "Opera",
    "Opera Mini": "Opera Mini",
    "Opera": "Opera",
    "UCBrowser": "UC Browser",
    "SamsungBrowser": "Samsung Internet",
    "PHX/": "Phoenix",
    "EdgA/": "Edge",
    "EdgiOS/": "Edge",
    "Edg/": "Edge",
    "Firefox/": "Firefox",
    "FxiOS/": "Firefox",
    "CriOS/": "Chrome",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
    "curl/": "curl",
}
_SYSTEMS = {
    "Android": "Android",
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Windows": "Windows",
    "CrOS": "Chromebook",
    "Mac OS X": "Mac",
    "KAIOS": "KaiOS",
    "J2ME": "a small phone",
    "Linux": "Linux",
}


def words(user_agent: str) -> str:
    """At most about thirty characters; empty when nothing of it is known."""
    text = user_agent[:_LONGEST]
    browser = next((name for mark, name in _BROWSERS.items() if mark in text), "")
    system = next((name for mark, name in _SYSTEMS.items() if mark in text), "")
    if browser and system:
        return f"{browser} on {system}"
    return browser or system


def keeps_ours(names: Iterable[str]) -> bool:
    """Whether a cookie of ours is among these names, all of which begin alike. What a proxy or a
    sibling adds is none."""
    return any(name.startswith("__Host-") for name in names)
