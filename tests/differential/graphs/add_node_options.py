"""add_node in its forms: name from the function, input_schema, metadata, destinations, a keyword-only config."""

from operator import add
from typing import Annotated, Any, TypedDict

from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command


class State(TypedDict):
    a: int
    b: int
    log: Annotated[list[str], add]


class OnlyB(TypedDict):
    b: int


def named_by_function(state: State) -> dict[str, Any]:
    return {"a": state["a"] + 1, "log": [f"saw {sorted(state)}"]}


def narrow(state) -> dict:
    return {"b": state["b"] * 2, "log": [f"saw {sorted(state)}"]}


def jump(state: State, *, config: RunnableConfig):
    return Command(goto="target", update={"log": [f"jump in {config['configurable']['thread_id']}"]})


def target(state: OnlyB):
    return {"log": [f"target saw {sorted(state)}"]}


builder = StateGraph(state_schema=State)
builder.add_node(named_by_function, metadata={"cost": 1})
builder.add_node("narrow", narrow, input_schema=OnlyB)
builder.add_node("jump", action=jump, destinations={"target": "jumps"})
builder.add_node(node="target", action=target)
builder.add_edge(start_key=START, end_key="named_by_function")
builder.add_edge("named_by_function", "narrow")
builder.add_edge("narrow", "jump")
builder.add_edge("target", END)
app = builder.compile()
