"""LangGraph with its PostgreSQL saver: the same loop, one thread of the graph each."""

import asyncio
import os
import time
import typing
import uuid

from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph import START, StateGraph
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from common import IDEAL, SLOTS, TASK_SECONDS, TASKS, arguments, note


class State(typing.TypedDict):
    n: int
    limit: int


async def step(state: State):
    return {"n": state["n"] + 1}


async def slow(state: State):
    await asyncio.sleep(TASK_SECONDS)
    return {"n": 1}


def route(state: State):
    return "step" if state["n"] < state["limit"] else "__end__"


def compiled(saver, function):
    graph = StateGraph(State)
    graph.add_node("step", function)
    graph.add_edge(START, "step")
    graph.add_conditional_edges("step", route, ["step", "__end__"])
    return graph.compile(checkpointer=saver)


async def invoke(app, limit):
    config = {"configurable": {"thread_id": str(uuid.uuid4())}, "recursion_limit": 1_000_000}
    await app.ainvoke({"n": 0, "limit": limit}, config, durability="sync")


async def together(count, at_once, work):
    slots = asyncio.Semaphore(at_once)

    async def one():
        async with slots:
            await work()

    began = time.monotonic()
    await asyncio.gather(*(one() for _ in range(count)))
    return time.monotonic() - began


async def main():
    section, seconds = arguments()
    options = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    async with AsyncConnectionPool(os.environ["BENCH_DATABASE"], min_size=4, max_size=32, kwargs=options) as pool:
        saver = AsyncPostgresSaver(pool)
        await saver.setup()
        app = compiled(saver, step)
        await invoke(app, 5)
        if section == "steps":
            for at_once in (1, 32):
                began, steps = time.monotonic(), 0
                while time.monotonic() - began < seconds:
                    await together(at_once, at_once, lambda: invoke(app, 20))
                    steps += at_once * 20
                rate = steps / (time.monotonic() - began)
                note(f"langgraph, PostgreSQL saver, {at_once} in flight", rate, "steps/s")
        elif section == "trivial":
            times = []
            for _ in range(100):
                began = time.monotonic()
                await invoke(app, 1)
                times.append(time.monotonic() - began)
            note("langgraph, trivial invoke, p50", sorted(times[20:])[40] * 1e3, "ms")
        else:
            app = compiled(saver, slow)
            taken = await together(TASKS, SLOTS, lambda: invoke(app, 1))
            note(f"langgraph, {TASKS} tasks of 100 ms on {SLOTS} slots, of ideal", taken / IDEAL, "x")


asyncio.run(main())
