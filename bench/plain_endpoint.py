"""What one would write first: FastAPI, pydantic and SQLAlchemy's ORM, a row at a time."""

from __future__ import annotations

import hashlib
import os
from datetime import datetime
from decimal import Decimal
from typing import Any

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, Field
from sqlalchemy.orm import DeclarativeBase, Session

from warehouse import tables
from warehouse.engine import make_engine


class Base(DeclarativeBase):
    """The warehouse's own tables, mapped."""


class Batch(Base):
    __table__ = tables.ingest_batch


class StoredCounter(Base):
    __table__ = tables.usage_counter


class Counter(BaseModel):
    external_subscription_id: str
    code: str
    from_: datetime = Field(alias="from")
    to: datetime
    value: Decimal
    transaction_id: str
    properties: dict[str, Any] = {}


class Usage(BaseModel):
    counters: list[Counter]


def create_app(database_url: str) -> FastAPI:
    """The plain endpoint: insert a row, look whether it was there, insert the next."""
    app = FastAPI()
    engine = make_engine(database_url)

    @app.post("/usage")
    def post_usage(usage: Usage) -> dict[str, int]:
        accepted = 0
        with Session(engine) as session, session.begin():
            batch = Batch(service_code="nexacloud", counters=len(usage.counters))
            session.add(batch)
            session.flush()
            for counter in usage.counters:
                identity = ("nexacloud", counter.external_subscription_id, counter.transaction_id)
                if session.get(StoredCounter, identity) is not None:
                    continue
                session.add(
                    StoredCounter(
                        service_code="nexacloud",
                        external_subscription_id=counter.external_subscription_id,
                        transaction_id=counter.transaction_id,
                        batch_id=batch.batch_id,
                        code=counter.code,
                        kind="delta",
                        window_start=counter.from_,
                        window_end=counter.to,
                        value=counter.value,
                        properties=counter.properties,
                        payload_hash=hashlib.sha256(counter.model_dump_json().encode()).digest(),
                    )
                )
                session.flush()
                accepted += 1
        return {"accepted": accepted}

    return app


if __name__ == "__main__":
    uvicorn.run(
        create_app(os.environ["URL"]),
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        log_level="error",
    )
