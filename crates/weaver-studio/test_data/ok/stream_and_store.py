from dataclasses import dataclass
from typing import TypedDict

from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.store.base import BaseStore


@dataclass
class Context:
    user_id: str


class State(TypedDict):
    text: str


async def write(state: State, runtime: Runtime[Context]):
    writer = get_stream_writer()
    writer({"progress": 1})
    await runtime.store.aput(("users", runtime.context.user_id), "last", {"text": state["text"]})
    return {"text": "ok"}


def read(state: State, *, store: BaseStore, config=None):
    item = store.get(("users",), "last")
    return {"text": item.value["text"] if item else ""}


graph = StateGraph(State, context_schema=Context)
graph.add_node("write", write)
graph.add_node("read", read)
graph.add_edge(START, "write")
graph.add_edge("write", "read")
graph.add_edge("read", END)
app = graph.compile()
