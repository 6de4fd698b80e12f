"""New input adds to the saved state; null continues; a finished thread gives its state; an empty one is an error."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph


class State(TypedDict):
    turns: Annotated[list, add]
    last: str


def reply(state: State):
    return {"turns": [f"reply {len(state['turns'])}"], "last": state["turns"][-1]}


app = StateGraph(State).add_node(reply).add_edge(START, "reply").compile()
