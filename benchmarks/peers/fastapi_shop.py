"""FastAPI with SQLAlchemy's ORM in threads, and Jinja."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

from benchmarks.peers.tables import URL, Shop

engine = create_engine(f"postgresql+psycopg://{URL}", pool_size=8)
templates = Jinja2Templates(directory=Path(__file__).parent / "templates")
app = FastAPI()


def session() -> Iterator[Session]:
    with Session(engine) as made:
        yield made


@app.get("/", response_class=HTMLResponse)
def show(
    request: Request, database: Annotated[Session, Depends(session)]
) -> HTMLResponse:
    host = request.headers["host"].partition(":")[0]
    shop = database.scalar(select(Shop).where(Shop.host == host))
    if shop is None:
        raise HTTPException(404)
    found = {"shop": shop, "bundles": shop.bundles}
    return templates.TemplateResponse(request, "jinja.html", found)
