"""The secret keys of both worlds. The previous one signs nothing but what a knob asks it to."""

from __future__ import annotations

from integrations.paystack_sandbox.store import LIVE_KEY, TEST_KEY, WORLDS, Store

_FIRST = {"test": TEST_KEY, "live": LIVE_KEY}


def current(store: Store) -> dict[str, str]:
    return {world: store.note(f"key.{world}", _FIRST[world]) for world in WORLDS}


def pair(store: Store, world: str) -> tuple[str, str]:
    """The current and the previous key of a world."""
    key = store.note(f"key.{world}", _FIRST[world])
    return key, store.note(f"previous_key.{world}", key)


def rotate(store: Store, world: str, key: str) -> None:
    """From now on `key` is the only one that opens the door."""
    old, _ = pair(store, world)
    if key != old:
        store.keep_note(f"previous_key.{world}", old)
        store.keep_note(f"key.{world}", key)
