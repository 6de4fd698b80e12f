"""Async nodes and an async routing function."""

import asyncio
from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph


class State(TypedDict):
    log: Annotated[list, add]


async def fetch(state: State):
    parts = await asyncio.gather(part(1), part(2))
    return {"log": list(parts)}


async def part(number: int) -> str:
    await asyncio.sleep(0)
    return f"part {number}"


async def route(state: State):
    return "end" if len(state["log"]) > 1 else "__end__"


async def end(state: State):
    return {"log": ["end"]}


g = StateGraph(State)
g.add_node(fetch)
g.add_node(end)
g.add_edge(START, "fetch")
g.add_conditional_edges("fetch", route)
app = g.compile()
