"""error_handler: runs after the retries with the failed node's input; may update, go elsewhere, or fail itself."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.errors import NodeError
from langgraph.graph import START, StateGraph
from langgraph.types import Command, RetryPolicy, interrupt


class State(TypedDict):
    kind: str
    log: Annotated[list, add]


def work(state: State):
    if state["kind"] == "ok":
        return {"log": ["worked"]}
    if state["kind"] == "ask":
        return {"log": [interrupt("the handler is not for interrupts")]}
    raise ValueError(f"cannot work on {state['kind']}")


def mend(state: State, error: NodeError):
    if state["kind"] == "worse":
        raise RuntimeError("the handler failed too")
    if state["kind"] == "go":
        return Command(update={"log": ["mend by going"]}, goto="other")
    return {"log": [f"mended {type(error.error).__name__} of {error.node}"]}


b = StateGraph(State)
b.add_node("work", work, error_handler=mend, retry_policy=RetryPolicy(max_attempts=2, initial_interval=0.001))
b.add_node("sibling", lambda s: {"log": ["sibling"]})
b.add_node("next", lambda s: {"log": ["next"]})
b.add_node("other", lambda s: {"log": ["other"]})
b.add_edge(START, "work")
b.add_edge(START, "sibling")
b.add_edge("work", "next")
app = b.compile()
