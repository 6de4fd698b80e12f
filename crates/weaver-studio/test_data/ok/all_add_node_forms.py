import functools
from functools import partial
from typing import Annotated, Optional, TypedDict

from langchain_core.runnables import RunnableConfig, RunnableLambda
from langgraph import graph as lg
from langgraph.cache.memory import InMemoryCache
from langgraph.graph import StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import CachePolicy, RetryPolicy


class S(TypedDict):
    x: int
    y: Annotated[Optional[str], lambda a, b: b or a]


class Private(TypedDict):
    secret: str


def plain(state: S):
    return {"x": 1}


def configured(state: S, config: RunnableConfig, *, store=None):
    return {"x": 2}


def scaled(state: S, factor: int, offset=0):
    return {"x": state["x"] * factor + offset}


def make(name):
    def node(state: S):
        return {"y": name}

    return node


class Worker:
    def __init__(self, size=2):
        self.size = size

    def run(self, state: S):
        return {"x": self.size}

    def __call__(self, state: S):
        return {"x": 0}


async def uses_private(state: Private):
    return {"x": len(state["secret"])}


def give_up(state: S):
    return {"y": "gave up"}


def only_connection(error):
    return isinstance(error, ConnectionError)


worker = Worker(size=5)
NAMES = ("one", "two")

sub = StateGraph(S)
sub.add_node(plain)
sub.set_entry_point("plain")
sub.set_finish_point("plain")
subgraph = sub.compile(checkpointer=True)

g: StateGraph = lg.StateGraph(S, context_schema=Private)
g.set_node_defaults(retry_policy=RetryPolicy(max_attempts=2))
g.add_node("plain", plain)
g.add_node(configured)
g.add_node("lambda", lambda s: {"x": s["x"] + 1})
g.add_node("partial", partial(scaled, factor=3))
g.add_node("partial2", functools.partial(scaled, factor=4, offset=1))
g.add_node("method", worker.run)
g.add_node("callable", worker)
g.add_node("runnable", RunnableLambda(plain))
g.add_node("sub", subgraph)
g.add_node("inline", sub.compile())
g.add_node("tools", ToolNode([plain], messages_key="y", handle_tool_errors=False))
g.add_node("made", make("a"))
g.add_node(
    node="named",
    action=uses_private,
    retry_policy=[
        RetryPolicy(max_attempts=5, retry_on=ConnectionError, jitter=False),
        RetryPolicy(retry_on=(ValueError, KeyError), initial_interval=0.1),
        RetryPolicy(retry_on=only_connection),
    ],
    cache_policy=CachePolicy(ttl=60),
    timeout=2.5,
    error_handler=give_up,
    metadata={"team": "core", "level": 2},
    input_schema=Private,
)
g.add_node("waits", plain, defer=True, destinations=("plain",))
for name in NAMES:
    g.add_node(name, plain)
g.set_entry_point("plain")
g.add_edge("plain", "configured")
g.add_edge("configured", "lambda")
g.add_edge("lambda", "partial")
g.add_edge("partial", "partial2")
g.add_edge("partial2", "method")
g.add_edge("method", "callable")
g.add_edge("callable", "runnable")
g.add_edge("runnable", "sub")
g.add_edge("sub", "inline")
g.add_edge("inline", "tools")
g.add_edge("tools", "made")
g.add_edge("made", "named")
for name in NAMES:
    g.add_edge("named", name)
g.add_edge(list(NAMES), "waits")
g.set_finish_point("waits")
compiled = g.compile(cache=InMemoryCache(), interrupt_before=["named"], interrupt_after="*", name="everything")
