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
    PRICES = 4_222
    """A store's prices are saved, new ones too; second key: hash of the store."""
    TEST_ORDERS = 4_255
    """A store's test orders are counted; second key: the store."""
    SUBDOMAIN = 4_229
    """An address is given to a store."""
    CUSTOMER = 4_231
    """A number becomes a customer of a store, once; second key: hash of store and number."""
    NOTICES = 4_232
    """Devices of one person are counted; second key: hash of store and person."""
    FUNDING = 4_233
    """A store's waiting requests for money are counted; second key: hash of the store."""
    GATEWAY = 4_301
    """Money that moved between our bank and the gateway is booked."""
    CARDS = 4_302
    """What cards bring a store a day is counted; second key: the store."""
    RESTORE = 4_209
    """Orders of a restored database are marked."""
