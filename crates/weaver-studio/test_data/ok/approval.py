import uuid
from typing import Literal, Optional

from langgraph.checkpoint.memory import MemorySaver
from langgraph.constants import END, START
from langgraph.graph import StateGraph
from langgraph.types import Command, interrupt
from typing_extensions import TypedDict


class State(TypedDict):
    request: str
    decision: Optional[str]
    receipt: str


def ask(state: State) -> Command[Literal["pay", "refuse"]]:
    ok = interrupt({"question": "Pay?", "request": state["request"]})
    return Command(goto="pay" if ok else "refuse", update={"decision": "yes" if ok else "no"})


def pay(state: State) -> dict:
    return {"receipt": str(uuid.uuid4())}


def refuse(state):
    return {"receipt": ""}


checkpointer = MemorySaver()
graph = (
    StateGraph(State)
    .add_node(ask)
    .add_node(pay)
    .add_node(refuse)
    .add_edge(START, "ask")
    .add_edge("pay", END)
    .add_edge("refuse", END)
    .compile(checkpointer=checkpointer, interrupt_before="*")
)
config = {"configurable": {"thread_id": str(uuid.uuid4())}}
