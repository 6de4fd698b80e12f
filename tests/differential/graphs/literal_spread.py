"""Lists that are spread in `Literal`: where a supervisor can go, and what a schema takes."""

from typing import Annotated, Literal, TypedDict
from operator import add

from langgraph.graph import END, START, StateGraph
from langgraph.types import Command
from pydantic import BaseModel, ValidationError

members = ["search", "write"]
options = members + ["FINISH"]


class Route(BaseModel):
    next: Literal[*options]
    others: list[Literal[*members]] = []


class State(TypedDict):
    plan: list[str]
    done: Annotated[list[str], add]


def supervisor(state: State) -> Command[Literal[*members, "__end__"]]:
    step = len([entry for entry in state["done"] if entry != "refused"])
    try:
        route = Route(next=state["plan"][step], others=members)
    except ValidationError:
        return Command(goto=END, update={"done": ["refused"]})
    goto = END if route.next == "FINISH" else route.next
    return Command(goto=goto)


def search(state: State) -> Command[Literal["supervisor"]]:
    return Command(goto="supervisor", update={"done": ["searched"]})


def write(state: State):
    return Command(goto="supervisor", update={"done": ["written"]})


g = StateGraph(State)
g.add_node(supervisor)
g.add_node(search)
g.add_node(write, destinations=("supervisor",))
g.add_edge(START, "supervisor")
app = g.compile()
