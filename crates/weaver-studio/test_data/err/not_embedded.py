import numpy as np
import pandas
from functools import wraps
from typing import TypedDict
from contextlib import contextmanager
from langgraph.graph import StateGraph, START, END


class State(TypedDict):
    a: int


class Base:
    pass


class Special(Base):
    @property
    def x(self):
        return 1

    def __len__(self):
        return 1


class MyError(Exception):
    pass


def helper(x):
    return np.mean(x)


def uses_numpy(state: State):
    return {"a": helper([1, 2])}


def generator(state: State):
    yield {"a": 1}


def deletes(state: State):
    d = dict(state)
    del d["a"]
    return d


async def streams(state: State):
    async with open_it() as f:
        async for line in f:
            print(line)
    return {"a": [x async for x in f]}


def special(state: State):
    try:
        return {"a": len(Special().x)}
    except* ValueError:
        raise MyError("x")


def fine(state: State):
    return {"a": 1}


def asks(state: State):
    return {"a": input("?"), "b": globals(), "c": fine.__dict__}


g = StateGraph(State)
g.add_sequence([uses_numpy, generator, deletes, streams, special, fine, asks])
g.add_edge(START, "uses_numpy")
g.add_edge("asks", END)
app = g.compile()
