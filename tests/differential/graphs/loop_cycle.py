"""A loop of two nodes with a plain back edge and a branch out."""

from operator import add
from typing import Annotated, Literal, TypedDict

from langgraph.graph import END, START, StateGraph


class State(TypedDict):
    draft: int
    notes: Annotated[list[str], add]


def write(state: State):
    return {"draft": state.get("draft", 0) + 1, "notes": [f"draft {state.get('draft', 0) + 1}"]}


def review(state: State):
    return {"notes": ["good" if state["draft"] >= 3 else "again"]}


def decide(state: State) -> Literal["write", "__end__"]:
    return END if state["notes"][-1] == "good" else "write"


flow = StateGraph(State)
flow.add_node("write", write)
flow.add_node("review", review)
flow.set_entry_point("write")
flow.add_edge("write", "review")
flow.add_conditional_edges("review", decide)
app = flow.compile()
