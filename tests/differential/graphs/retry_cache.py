"""A node with a retry policy and a cache: a failure is not cached, a success after it is."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.cache.memory import InMemoryCache
from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import CachePolicy, RetryPolicy


class State(TypedDict):
    n: int
    log: Annotated[list, add]


def shaky(state: State, runtime: Runtime):
    runtime.stream_writer({"attempt": runtime.execution_info.node_attempt, "n": state["n"]})
    if runtime.execution_info.node_attempt < state["n"]:
        raise ConnectionError(f"no {state['n']}")
    return {"log": [f"shaky {state['n']}"]}


def key(state):
    return str(state["n"])


g = StateGraph(State)
g.add_node("shaky", shaky, retry_policy=RetryPolicy(initial_interval=0.001, max_attempts=3, jitter=False), cache_policy=CachePolicy(key_func=key))
g.add_node("after", lambda s: {"log": ["after"]})
g.add_edge(START, "shaky")
g.add_edge("shaky", "after")
app = g.compile(cache=InMemoryCache())
