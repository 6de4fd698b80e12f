"""Three routes of the server as one would write them with FastAPI, SQLAlchemy and asyncpg.

    fastapi_service.py PORT DATABASE_URL
"""

import datetime
import sys
import uuid
from typing import Annotated, Any, AsyncIterator

import uvicorn
from fastapi import Depends, FastAPI, HTTPException
from pydantic import BaseModel
from sqlalchemy import ForeignKey, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

PORT, DATABASE = int(sys.argv[1]), sys.argv[2]
engine = create_async_engine(DATABASE.replace("postgres://", "postgresql+asyncpg://"), pool_size=16, max_overflow=0)
sessions = async_sessionmaker(engine, expire_on_commit=False)
app = FastAPI()


class Base(DeclarativeBase):
    pass


class Execution(Base):
    __tablename__ = "executions"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    workflow: Mapped[str]
    status: Mapped[str] = mapped_column(default="queued")
    input: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime.datetime] = mapped_column(server_default=func.now())
    work: Mapped["Work"] = relationship()
    events: Mapped[list["Event"]] = relationship()


class Work(Base):
    __tablename__ = "work_queue"
    execution_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("executions.id"), primary_key=True)
    priority: Mapped[int] = mapped_column(default=0)


class Event(Base):
    __tablename__ = "execution_events"
    execution_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("executions.id"), primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)


class Submit(BaseModel):
    input: dict[str, Any]


class Submitted(BaseModel):
    execution_id: uuid.UUID
    status: str


class Shown(BaseModel):
    id: uuid.UUID
    workflow: str
    status: str
    input: dict[str, Any]
    created_at: datetime.datetime


async def session() -> AsyncIterator[AsyncSession]:
    async with sessions() as opened:
        yield opened


Session = Annotated[AsyncSession, Depends(session)]


@app.get("/api/v1/health")
async def health(session: Session) -> dict[str, str]:
    await session.execute(text("SELECT 1"))
    return {"status": "ok"}


@app.post("/api/v1/workflows/{workflow}/execute", status_code=202)
async def create(workflow: str, request: Submit, session: Session) -> Submitted:
    event = Event(sequence=1, kind="queued", data=request.input)
    execution = Execution(workflow=workflow, input=request.input, work=Work(), events=[event])
    session.add(execution)
    await session.commit()
    return Submitted(execution_id=execution.id, status=execution.status)


@app.get("/api/v1/executions/{id}")
async def read(id: uuid.UUID, session: Session) -> Shown:
    execution = await session.get(Execution, id)
    if execution is None:
        raise HTTPException(404)
    return Shown(
        id=execution.id, workflow=execution.workflow, status=execution.status,
        input=execution.input, created_at=execution.created_at,
    )


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=PORT, log_level="warning", access_log=False)
