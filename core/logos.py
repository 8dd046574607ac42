"""A store's logo: any picture of a person's, decoded within limits and encoded anew, small.

Decides which pictures are taken and what is kept of one: a square that a shop's page shows beside
its name, and a larger one for a phone's home screen and previews of links. Nothing of the file
itself is kept or shown.
"""

from __future__ import annotations

import hashlib
import io
import struct
import threading
import zlib
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import ForeignKey, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from core import audit, stores
from core.audit import Actor
from core.base import clock
from core.base.db import Model, db, transaction
from core.base.refusal import Refusal
from core.base.tenancy import StoreScoped, as_platform

if TYPE_CHECKING:
    from PIL.Image import Image

KINDS = ("PNG", "JPEG", "WEBP")
MOST_PIXELS = 16_000_000
"""As the largest photographs of phones have; decoded, one at a time, a PNG takes 130 MB at most, a
WebP 320."""
MOST_SCANS = 60
"""Of a JPEG: a progressive one has about ten. Each goes over the whole picture, however few bytes
it has."""
LEAST_SIDE = 32
SIDE = 72
"""Pixels of the square: twice what it takes on a page, for sharp screens."""
MOST_BYTES = 1_800
"""Of what a shop's page loads."""
LARGE_SIDE = 512
LEAST_LARGE = 128
"""Points of the longer side: of fewer no large square is made, since it would be a blur."""
MOST_LARGE_BYTES = 64_000
_PLAIN = ("RGB", "RGBA", "L", "CMYK")
"""Modes that are made small as they are."""
_QUALITIES = (80, 65, 50, 35, 20, 10)
_BROKEN = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What decoders raise at bytes that are no picture, or half of one."""
_in_turn = threading.Lock()


class NoLogo(Refusal):
    """A file that is taken for no logo. `sentence` says which is."""


NO_PICTURE = (
    "This file is no picture that can be read. Save it as PNG, JPEG or WebP and choose it"
    " again."
)

TOO_LARGE = (
    f"This picture has more than {MOST_PIXELS // 1_000_000} million points. Make it smaller and"
    " choose it again."
)


class StoreLogo(Model, StoreScoped):
    __tablename__ = "store_logos"

    store_id: Mapped[int] = mapped_column(ForeignKey("stores.id"), primary_key=True)
    mark: Mapped[str]
    """Of the content: its address changes with it."""
    picture: Mapped[bytes]
    """A WebP of `SIDE`."""
    large: Mapped[bytes | None] = mapped_column(deferred=True)
    """A WebP of `LARGE_SIDE`; None where the picture was too small, or brought before there was
    one."""
    made_at: Mapped[datetime]


def picture(mark: str) -> bytes | None:
    """The current store's logo, if this is its mark now."""
    return db.session.scalar(select(StoreLogo.picture).where(StoreLogo.mark == mark))


def large(mark: str) -> bytes | None:
    """The same in `LARGE_SIDE`, if there is one."""
    return db.session.scalar(select(StoreLogo.large).where(StoreLogo.mark == mark))


@as_platform
def put(store_id: int, file: bytes, actor: Actor) -> bool:
    """Have the shop show this picture. False when it does already. Raises `NoLogo`."""
    made = encoded(file)
    mark = hashlib.sha256(made.small + (made.large or b"")).hexdigest()[:16]
    with transaction():
        store = stores.locked(store_id)
        if store.logo == mark:
            return False
        values = {
            "mark": mark,
            "picture": made.small,
            "large": made.large,
            "made_at": clock.now(),
        }
        db.session.execute(
            insert(StoreLogo)
            .values(store_id=store_id, **values)
            .on_conflict_do_update(index_elements=["store_id"], set_=values)
        )
        store.logo = mark
        store.version += 1
        audit.write(actor, "store_logo", f"store:{store_id}", {"mark": mark})
    return True


@as_platform
def take_off(store_id: int, actor: Actor) -> bool:
    """Show the letter again. False when there is no logo."""
    with transaction():
        store = stores.locked(store_id)
        if store.logo is None:
            return False
        # past the layer of the ORM, which would ask for a store that is set
        row = text("DELETE FROM store_logos WHERE store_id = :store_id")
        db.session.execute(row, {"store_id": store_id})
        store.logo = None
        store.version += 1
        audit.write(actor, "store_logo_off", f"store:{store_id}", {})
    return True


@dataclass(frozen=True)
class Squares:
    """What is kept of a picture, as WebP."""

    small: bytes
    large: bytes | None


def encoded(file: bytes) -> Squares:
    """The picture as square WebPs, with nothing of the file but what is seen of it. Raises
    `NoLogo`."""
    from PIL import Image, ImageOps

    with _in_turn:
        try:
            with Image.open(io.BytesIO(file), formats=KINDS) as opened:
                _refuse(opened.width, opened.height)
                _refuse_kind(opened, file)
                is_large = max(opened.size) >= LEAST_LARGE
                # JPEG: no more is decoded than twice what is kept
                opened.draft("RGB", (2 * LARGE_SIDE, 2 * LARGE_SIDE))
                # made small before it is copied
                is_plain = opened.mode in _PLAIN and "transparency" not in opened.info
                less = ImageOps.contain(
                    opened if is_plain else opened.convert("RGBA"),
                    (LARGE_SIDE, LARGE_SIDE),
                    Image.Resampling.LANCZOS,
                )
                seen = ImageOps.exif_transpose(less).convert("RGBA")
        except Image.DecompressionBombError as error:
            raise NoLogo(TOO_LARGE) from error
        except _BROKEN as error:
            raise NoLogo(NO_PICTURE) from error
        # on white: letters of dark ink are read on the dark page too
        square = Image.new("RGB", (LARGE_SIDE, LARGE_SIDE), "#fff")
        place = ((LARGE_SIDE - seen.width) // 2, (LARGE_SIDE - seen.height) // 2)
        square.paste(seen, place, seen)
        small = square.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        return Squares(
            _small(small, MOST_BYTES),
            _small(square, MOST_LARGE_BYTES) if is_large else None,
        )


def _refuse(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise NoLogo(TOO_LARGE)
    if min(width, height) < LEAST_SIDE:
        raise NoLogo(
            f"This picture has {width} × {height} points: give one of at least {LEAST_SIDE} on"
            " each side."
        )


def _refuse_kind(opened: Image, file: bytes) -> None:
    """One that moves, and a JPEG that would be decoded for minutes."""
    is_jpeg = opened.format in ("JPEG", "MPO")
    # in a phone's photograph the second picture is a map of its light
    if not is_jpeg and getattr(opened, "n_frames", 1) > 1:
        raise NoLogo("This picture moves. Choose one that stands still.")
    if is_jpeg and file.count(b"\xff\xda") > MOST_SCANS:
        raise NoLogo(NO_PICTURE)


def _small(square: Image, most_bytes: int) -> bytes:
    made = b""
    for quality in _QUALITIES:
        out = io.BytesIO()
        square.save(out, "WEBP", quality=quality, method=6)
        made = out.getvalue()
        if len(made) <= most_bytes:
            break
    return made
