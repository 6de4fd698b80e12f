"""set_node_defaults: a retry policy and an error handler for all nodes."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.errors import NodeError
from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command, RetryPolicy


class State(TypedDict):
    log: Annotated[list, add]


def flaky(state: State, runtime: Runtime):
    if runtime.execution_info.node_attempt < 2:
        raise ConnectionError("once")
    return {"log": ["flaky"]}


def hopeless(state: State, runtime: Runtime):
    raise ConnectionError(f"attempt {runtime.execution_info.node_attempt}")


def own(state: State):
    raise ValueError("own")


def fallback(state: State, error: NodeError):
    return Command(update={"log": [f"fallback for {error.node}: {error.error}"]}, goto="after" if error.node == "hopeless" else "__end__")


def own_handler(state: State, error: NodeError):
    return {"log": [f"own handler: {error.error}"]}


g = StateGraph(State)
g.set_node_defaults(retry_policy=RetryPolicy(initial_interval=0.001, max_attempts=2), error_handler=fallback)
g.add_node("flaky", flaky)
g.add_node("hopeless", hopeless)
g.add_node("own", own, error_handler=own_handler)
g.add_node("after", lambda s: {"log": ["after"]})
g.add_edge(START, "flaky")
g.add_edge("flaky", "hopeless")
g.add_edge("hopeless", "own")
app = g.compile()
