"""One subgraph sent twice: both ask; a map answers one, then the other."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.types import Send, interrupt


class State(TypedDict):
    out: Annotated[list, add]


class Job(TypedDict):
    name: str
    out: Annotated[list, add]


def prepare(job: Job):
    return {"out": [f"prepare {job['name']}"]}


def confirm(job: Job):
    return {"out": [f"{job['name']}: {interrupt(job['name'])}"]}


job_graph = StateGraph(Job)
job_graph.add_sequence([prepare, confirm])
job_graph.add_edge(START, "prepare")

main = StateGraph(State)
main.add_node("job", job_graph.compile())
main.add_conditional_edges(START, lambda s: [Send("job", {"name": n, "out": []}) for n in ["p", "q"]], ["job"])
app = main.compile()
