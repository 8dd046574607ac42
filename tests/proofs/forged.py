"""Webhooks of somebody who knows the address, our references and old genuine bodies, but not the
supplier's secret.

Each kind is one way to lie. Drawn from a seed, so that a storm can be made again.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

WORDS = (
    "successful",
    "failed",
    "reversed",
    "pending",
    "sent",
    "refunded",
    "completed",
    "SUCCESSFUL",
    "nonsense",
    "",
)
EVENTS = (
    "transaction.status_update",
    "transaction.completed",
    "transaction.failed",
    "purchase.successful",
    "",
)


@dataclass(frozen=True)
class Forged:
    """One request of the storm."""

    kind: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Loot:
    """What the forger knows: references of our orders in every state and store, and bodies that
    were sent to us."""

    references: Sequence[str]
    genuine: Sequence[bytes]

    def reference(self, chance: random.Random) -> str:
        return (
            chance.choice(self.references)
            if chance.random() < 0.8
            else f"MK-{chance.randbytes(8).hex().upper()}"
        )


def draw(chance: random.Random, loot: Loot, kinds: Sequence[str] = ()) -> Forged:
    """One body of a drawn kind."""
    kind = chance.choice(kinds or tuple(KINDS))
    made = KINDS[kind](chance, loot)
    body, headers = made if isinstance(made, tuple) else (made, {})
    return Forged(kind, body, headers)


def _news(chance: random.Random, loot: Loot) -> dict[str, object]:
    return {
        "reference": loot.reference(chance),
        "old_status": "pending",
        "new_status": chance.choice(WORDS),
        "amount": chance.choice((4.6, 0, -4.6, 1e9, "4.60", None)),
        "n": chance.getrandbits(60),
    }


def _body(
    data: object, event: str = "transaction.status_update", **beside: object
) -> bytes:
    return json.dumps(
        {
            "event": event,
            "data": data,
            "timestamp": "2026-02-03T09:52:40.551Z",
            **beside,
        }
    ).encode()


def _unsigned(chance: random.Random, loot: Loot) -> bytes:
    return _body(_news(chance, loot), chance.choice(EVENTS))


def _other_secret(chance: random.Random, loot: Loot) -> bytes:
    data = json.dumps(_news(chance, loot))
    key = chance.choice(("", "secret", "sk_" + "00" * 32, "$2a$10$" + "x" * 53))
    signature = hmac.new(key.encode(), data.encode(), hashlib.sha256).hexdigest()
    return f'{{"event":"transaction.status_update","data":{data},"signature":"{signature}"}}'.encode()


def _bits_flipped(chance: random.Random, loot: Loot) -> bytes:
    body = bytearray(chance.choice(loot.genuine))
    for _ in range(chance.randint(1, 8)):
        body[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
    return bytes(body)


def _replayed(chance: random.Random, loot: Loot) -> bytes:
    return chance.choice(loot.genuine)


def _in_another_wrapping(chance: random.Random, loot: Loot) -> bytes:
    """Signed words that were really said, under another event, with another time, with other words
    beside them."""
    told = json.loads(chance.choice(loot.genuine))
    told |= {"timestamp": str(chance.getrandbits(60)), "event": chance.choice(EVENTS)}
    told |= {"reference": loot.reference(chance), "status": chance.choice(WORDS)}
    return json.dumps(told, separators=(",", ":")).encode()


def _old(chance: random.Random, loot: Loot) -> bytes:
    told = json.loads(chance.choice(loot.genuine)) | {
        "timestamp": f"20{chance.randint(10, 25)}-01-01T00:00:00.000Z"
    }
    return json.dumps(told, separators=(",", ":")).encode()


def _word_changed(chance: random.Random, loot: Loot) -> bytes:
    """A genuine body with another status or reference inside what is signed; the signature
    stays."""
    told = json.loads(chance.choice(loot.genuine))
    told["data"] |= (
        {"new_status": chance.choice(WORDS)} if chance.random() < 0.5 else {}
    )
    told["data"] |= {
        "reference": loot.reference(chance),
        "status": chance.choice(WORDS),
    }
    return json.dumps(told, separators=(",", ":")).encode()


def _wrong_case(chance: random.Random, loot: Loot) -> tuple[bytes, dict[str, str]]:
    told = json.loads(chance.choice(loot.genuine))
    told["data"] |= {
        "reference": loot.reference(chance).swapcase(),
        "n": chance.getrandbits(60),
    }
    signature = str(told.get("signature", "")).upper()
    return json.dumps(told | {"signature": signature}).encode(), {
        "X-Platform-Signature": signature
    }


def _flat(chance: random.Random, loot: Loot) -> bytes:
    return json.dumps(
        {
            "event": chance.choice(EVENTS),
            **_news(chance, loot),
            "status": chance.choice(WORDS),
        }
    ).encode()


def _broken_json(chance: random.Random, loot: Loot) -> bytes:
    whole = _unsigned(chance, loot)
    return chance.choice(
        (
            whole[: chance.randrange(len(whole))],
            whole + b"}",
            b"{'event': 1}",
            b"",
            b"\x00" * 100,
        )
    )


def _not_utf8(chance: random.Random, loot: Loot) -> bytes:
    at = chance.randint(0, 40)
    whole = _unsigned(chance, loot)
    return (
        whole[:at]
        + chance.choice(
            (b"\xff\xfe", b"\xc3\x28", b"\xed\xa0\x80", chance.randbytes(20))
        )
        + whole[at:]
    )


def _deep(chance: random.Random, loot: Loot) -> bytes:
    """Deeper than any reader recurses, and no longer than what is read at all."""
    depth = chance.randint(1_000, 30_000)
    return chance.choice(
        (
            b"[" * depth,
            b'{"data":' * (depth // 4),
            b'{"data":' + b"[" * depth + b"]" * depth + b"}",
        )
    )


def _huge_numbers(chance: random.Random, loot: Loot) -> bytes:
    number = chance.choice(
        ("1e999", "9" * 5_000, "-1e-999", "NaN", "1" + "0" * 400 + ".5")
    )
    return f'{{"event":"e","data":{{"reference":"{loot.reference(chance)}","amount":{number}}}}}'.encode()


def _odd_types(chance: random.Random, loot: Loot) -> bytes:
    odd = chance.choice(
        (
            {},
            [],
            7,
            True,
            None,
            ["a"],
            {"$ne": 1},
            "\x00",
            "\ud800",
            "'; DROP TABLE orders; --",
        )
    )
    return chance.choice(
        (
            _body(odd),
            _body({"reference": odd, "new_status": odd}),
            json.dumps(odd).encode(),
        )
    )


def _large(chance: random.Random, loot: Loot) -> bytes:
    return _body(_news(chance, loot) | {"filler": chance.randbytes(30_000).hex()})


def _said_twice(chance: random.Random, loot: Loot) -> bytes:
    """Two members of one name: which one is signed, and which is read?"""
    genuine = chance.choice(loot.genuine).decode()
    lie = json.dumps(_news(chance, loot))
    at = genuine.index("{") + 1
    return chance.choice(
        (
            genuine[:at] + f'"data":{lie},' + genuine[at:],
            genuine[:-1] + f',"data":{lie}}}',
        )
    ).encode()


KINDS: dict[
    str, Callable[[random.Random, Loot], bytes | tuple[bytes, dict[str, str]]]
] = {
    "unsigned": _unsigned,
    "other secret": _other_secret,
    "bits flipped": _bits_flipped,
    "replayed": _replayed,
    "in another wrapping": _in_another_wrapping,
    "old": _old,
    "word changed": _word_changed,
    "wrong case": _wrong_case,
    "flat": _flat,
    "broken JSON": _broken_json,
    "not UTF-8": _not_utf8,
    "deep": _deep,
    "huge numbers": _huge_numbers,
    "odd types": _odd_types,
    "large": _large,
    "said twice": _said_twice,
}
