"""Litestar with SQLAlchemy's ORM over asyncpg, and Jinja."""

from __future__ import annotations

from pathlib import Path

from litestar import Litestar, Request, get
from litestar.contrib.jinja import JinjaTemplateEngine
from litestar.exceptions import NotFoundException
from litestar.response import Template
from litestar.template.config import TemplateConfig
from sqlalchemy import select
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import selectinload

from benchmarks.peers.tables import URL, Shop

engine = create_async_engine(f"postgresql+asyncpg://{URL}", pool_size=8)
session = async_sessionmaker(engine, expire_on_commit=False)


@get("/")
async def show(request: Request) -> Template:
    host = request.headers["host"].partition(":")[0]
    async with session() as database:
        shop = await database.scalar(
            select(Shop).where(Shop.host == host).options(selectinload(Shop.bundles))
        )
    if shop is None:
        raise NotFoundException
    return Template("jinja.html", context={"shop": shop, "bundles": shop.bundles})


app = Litestar(
    [show],
    template_config=TemplateConfig(
        directory=Path(__file__).parent / "templates", engine=JinjaTemplateEngine
    ),
)
