"""IsLastStep and RemainingSteps are computed from the recursion limit, not stored."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.managed import IsLastStep, RemainingSteps


class State(TypedDict):
    seen: Annotated[list, add]
    is_last_step: IsLastStep
    remaining: RemainingSteps


def step(state: State):
    return {"seen": [[state["remaining"], state["is_last_step"]]]}


def route(state: State):
    return "__end__" if state["remaining"] <= 2 else "step"


g = StateGraph(State)
g.add_node("step", step)
g.add_edge(START, "step")
g.add_conditional_edges("step", route)
app = g.compile()
