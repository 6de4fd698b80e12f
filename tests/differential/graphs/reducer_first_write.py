"""A reducer's key starts as the empty value of its type; a type without one takes the first write."""

from typing import Annotated, Optional, TypedDict

from langgraph.graph import START, StateGraph


def note(old, new):
    return f"({old} then {new})"


class State(TypedDict):
    typed: Annotated[str, note]
    unknown: Annotated[Optional[str], note]
    either: Annotated[str | None, note]


builder = StateGraph(State)
builder.add_node("a", lambda state: {"typed": "a", "unknown": "a", "either": "a"})
builder.add_node("b", lambda state: {"typed": "b", "unknown": "b"})
builder.add_edge(START, "a")
builder.add_edge("a", "b")
app = builder.compile()
