"""Hashing of passwords, one hash at a time in a process, so that log-ins never take the pages'
time.

Decides how a password is hashed and who waits for whom. Which password is good enough is decided in
`users`, how often one may be tried in `guessing`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from core.base.refusal import Refusal

THREADS = 2
"""Threads of one process in log-in at once: one that hashes and one that waits for it."""
WAIT_S = 2.0
"""The longest wait for the hash of another; one takes a few hundredths of a second."""

# The least that OWASP's password storage cheat sheet asks of Argon2id, on one core: argon2-cffi's
# own setting takes eight times the processor's time, of four cores at once, and whoever floods a
# log-in spends ours with it.
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
NOBODYS = (
    "$argon2id$v=19$m=19456,t=2,p=1$OMVlZXuiJ9fdcv7z0hnjNg$"
    "YD5zo/Y21FWIXWLBK7kcqea+wlqa+ZV6e24hvT6L/5A"
)
"""A hash that no password fits, made with the same parameters as all others: of a long random word
that nobody knows. A test compares the parameters."""

_inside = threading.BoundedSemaphore(THREADS)
_again = threading.BoundedSemaphore(THREADS - 1)
_one = threading.Lock()
_mine = threading.local()


class Busy(Refusal):
    """This process hashes as much as it may. Nothing was looked at and nothing counted. `sentence`
    says what to do."""

    sentence = (
        "Many people are logging in just now. Nothing was checked: type your password and press the"
        " button again."
    )
    wait_s = 1


@contextmanager
def turn(again: bool = False) -> Iterator[None]:
    """One of the `THREADS` places of this process. Raises `Busy` at once when all are taken.

    With `again`, for who has been wrong before, one place stays free for others.
    """
    if getattr(_mine, "inside", False):
        yield
        return
    with _place(_again) if again else nullcontext(), _place(_inside):
        _mine.inside = True
        try:
            yield
        finally:
            _mine.inside = False


def make(password: str) -> str:
    """Argon2id of a password. Raises `Busy`."""
    with _alone():
        return _hasher.hash(password)


def fits(password_hash: str, password: str) -> bool:
    """Whether `password` fits the hash; a text that is no hash fits none. Raises `Busy`."""
    with _alone():
        try:
            return _hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False


def is_old(password_hash: str) -> bool:
    """Whether the hash was made by an older rule and should be made again."""
    return _hasher.check_needs_rehash(password_hash)


@contextmanager
def _place(places: threading.BoundedSemaphore) -> Iterator[None]:
    if not places.acquire(blocking=False):
        raise Busy
    try:
        yield
    finally:
        places.release()


@contextmanager
def _alone() -> Iterator[None]:
    with turn():
        if not _one.acquire(timeout=WAIT_S):
            raise Busy
        try:
            yield
        finally:
            _one.release()
