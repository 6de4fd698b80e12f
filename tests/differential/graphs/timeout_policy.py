"""A timeout ends an attempt of an async node; the default retry policy tries again."""

import asyncio
from operator import add
from typing import Annotated, TypedDict

from langgraph.errors import NodeError
from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import RetryPolicy, TimeoutPolicy


class State(TypedDict):
    log: Annotated[list, add]
    slow: bool


async def slow_once(state: State, runtime: Runtime):
    if runtime.execution_info.node_attempt == 1:
        await asyncio.sleep(5)
    return {"log": [f"slow_once, attempt {runtime.execution_info.node_attempt}"]}


async def handled(state: State):
    await asyncio.sleep(5)
    return {"log": ["never"]}


async def handler(state: State, error: NodeError):
    return {"log": [f"{type(error.error).__name__} in {error.node}"]}


async def fails(state: State):
    if state["slow"]:
        await asyncio.sleep(5)
    return {"log": ["in time"]}


g = StateGraph(State)
g.add_node("slow_once", slow_once, timeout=0.2, retry_policy=RetryPolicy(max_attempts=2, initial_interval=0.01))
g.add_node("handled", handled, timeout=TimeoutPolicy(run_timeout=0.2), error_handler=handler)
g.add_node("fails", fails, timeout=TimeoutPolicy(idle_timeout=0.2))
g.add_edge(START, "slow_once")
g.add_edge("slow_once", "handled")
g.add_edge("handled", "fails")
app = g.compile()
