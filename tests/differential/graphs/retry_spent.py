"""Retries that are spent, and exceptions that the default policy does not retry."""

from operator import add
from typing import Annotated, TypedDict

from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import RetryPolicy


class State(TypedDict):
    kind: str
    log: Annotated[list, add]


ERRORS = {
    "connection": ConnectionError,
    "value": ValueError,
    "type": TypeError,
    "lookup": KeyError,
    "arithmetic": ZeroDivisionError,
    "runtime": RuntimeError,
    "os": FileNotFoundError,
    "timeout": TimeoutError,
    "plain": Exception,
    "assertion": AssertionError,
    "attribute": AttributeError,
}


def fail(state: State, runtime: Runtime):
    runtime.stream_writer(f"attempt {runtime.execution_info.node_attempt}")
    raise ERRORS[state["kind"]](f"{state['kind']} at attempt {runtime.execution_info.node_attempt}")


app = (
    StateGraph(State)
    .add_node("fail", fail, retry_policy=RetryPolicy(initial_interval=0.001, max_attempts=2, jitter=False))
    .add_edge(START, "fail")
    .compile()
)
