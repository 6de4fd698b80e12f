"""Path maps as dict, as list and from a Literal annotation; several targets; booleans as keys."""

from operator import add
from typing import Annotated, Literal, TypedDict

from langgraph.graph import END, START, StateGraph


class State(TypedDict):
    n: int
    trail: Annotated[list, add]


def start(state: State):
    return {"trail": ["start"]}


def is_even(state: State) -> bool:
    return state["n"] % 2 == 0


def pick(state: State) -> Literal["left", "right", "__end__"]:
    if state["n"] > 100:
        return END
    return "left" if state["n"] < 10 else "right"


def fan(state: State):
    return ["left", "right"] if state["n"] > 5 else ["left"]


b = StateGraph(State)
b.add_node("start", start)
b.add_node("even", lambda s: {"trail": ["even"]})
b.add_node("odd", lambda s: {"trail": ["odd"]})
b.add_node("left", lambda s: {"trail": ["left"]})
b.add_node("right", lambda s: {"trail": ["right"]})
b.add_edge(START, "start")
b.add_conditional_edges("start", is_even, {True: "even", False: "odd"})
b.add_conditional_edges("even", pick)
b.add_conditional_edges("odd", fan, ["left", "right"])
app = b.compile()
