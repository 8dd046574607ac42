"""The two tables, for the peers that use SQLAlchemy's ORM."""

from __future__ import annotations

import os

from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

URL = os.environ["PEER_DATABASE_URL"].partition("://")[2]


class Base(DeclarativeBase):
    pass


class Shop(Base):
    __tablename__ = "shop"
    id: Mapped[int] = mapped_column(primary_key=True)
    host: Mapped[str]
    name: Mapped[str]
    colour: Mapped[str]
    bundles: Mapped[list[Bundle]] = relationship(order_by="Bundle.position")


class Bundle(Base):
    __tablename__ = "bundle"
    id: Mapped[int] = mapped_column(primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id"))
    position: Mapped[int]
    network: Mapped[str]
    size: Mapped[str]
    validity: Mapped[str]
    price_pesewas: Mapped[int]
