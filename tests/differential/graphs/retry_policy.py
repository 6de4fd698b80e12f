"""RetryPolicy: attempts, which exceptions, several policies, writes of failed attempts are cleared."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import RetryPolicy


class State(TypedDict):
    log: Annotated[list, add]


def connects_third_time(state: State, runtime: Runtime):
    attempt = runtime.execution_info.node_attempt
    if attempt < 3:
        raise ConnectionError(f"attempt {attempt}")
    return {"log": [f"connected at attempt {attempt}"]}


def chosen(state: State, runtime: Runtime):
    if runtime.execution_info.node_attempt == 1:
        raise KeyError("first")
    return {"log": ["KeyError was retried"]}


def by_predicate(state: State, runtime: Runtime):
    attempt = runtime.execution_info.node_attempt
    if attempt < 4:
        raise ValueError(f"please retry {attempt}")
    return {"log": [f"predicate, attempt {attempt}"]}


def several(state: State, runtime: Runtime):
    attempt = runtime.execution_info.node_attempt
    if attempt < 4:
        raise TypeError(f"attempt {attempt}")
    return {"log": [f"several, attempt {attempt}"]}


def says_retry(error: Exception) -> bool:
    return "please retry" in str(error)


quick = RetryPolicy(initial_interval=0.001, jitter=False)
b = StateGraph(State)
b.add_node("connect", connects_third_time, retry_policy=quick)
b.add_node("chosen", chosen, retry_policy=RetryPolicy(initial_interval=0.001, retry_on=KeyError))
b.add_node("by_predicate", by_predicate, retry_policy=RetryPolicy(initial_interval=0.001, max_attempts=4, backoff_factor=1.0, retry_on=says_retry))
b.add_node(
    "several",
    several,
    retry_policy=[
        RetryPolicy(initial_interval=0.001, max_attempts=2, retry_on=ValueError),
        RetryPolicy(initial_interval=0.001, max_attempts=4, retry_on=(OSError, TypeError)),
    ],
)
b.add_edge(START, "connect")
b.add_edge("connect", "chosen")
b.add_edge("chosen", "by_predicate")
b.add_edge("by_predicate", "several")
app = b.compile()
