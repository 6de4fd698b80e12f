"""A pydantic model as state is validated on node input, and fills defaults."""

from operator import add
from typing import Annotated, Literal

from langgraph.graph import START, StateGraph
from pydantic import BaseModel, Field


class Ticket(BaseModel):
    title: str
    priority: int = Field(default=3, ge=1, le=5)
    kind: Literal["bug", "wish"] = "bug"
    log: Annotated[list[str], add] = []


def triage(ticket: Ticket):
    return {"log": [f"{ticket.kind} of priority {ticket.priority + 0}"], "priority": ticket.priority - 1}


def done(ticket: Ticket):
    return {"log": [f"done {ticket.title}"]}


b = StateGraph(Ticket)
b.add_node("triage", triage)
b.add_node("done", done)
b.add_edge(START, "triage")
b.add_edge("triage", "done")
app = b.compile()
