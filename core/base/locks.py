"""Advisory locks of PostgreSQL: one number for each purpose.

A number is never given to another purpose: during a deploy yesterday's processes still take it.
"""

from __future__ import annotations

from enum import IntEnum, unique


@unique
class Lock(IntEnum):
    """The first key of the lock. Where there is a second key, it is named."""

    REQUEST = 4_201
    """A request of the platform is made or joined; second key: which kind of request."""
    CATALOG = 4_202
    """Offers or bundles change."""
    WALLET = 4_203
    """Held through each call about the supplier's wallet (`fulfilment.buying.supplier_link`)."""
    NUMBER = 4_204
    """Orders for one number are counted; second key: hash of store and number."""
    DEVICE = 4_205
    """Orders of one device are counted; second key: hash of store and device."""
    ADDRESS = 4_206
    """Orders from one address are counted; second key: hash of store and address."""
    PROOF = 4_208
    """The books are proven."""
    LIST = 4_221
    """A list is confirmed; second key: hash of store and of what its lines mean."""
    RESTORE = 4_209
    """Orders of a restored database are marked."""
