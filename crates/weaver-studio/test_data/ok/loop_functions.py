from functools import partial
from typing import Annotated, TypedDict
import operator
from langgraph.graph import StateGraph, START, END

PREFIX = "p"


class State(TypedDict):
    log: Annotated[list, operator.add]


def work(state: State, name, times=1):
    return {"log": [name] * times}


def make(name, times):
    def run(state: State):
        return {"log": [name] * times}

    return run


class Step:
    def __init__(self, name):
        self.name = name

    def __call__(self, state):
        return {"log": [self.name]}

    def other(self, state):
        return {"log": []}


first = Step("first")
second = Step("second")

g = StateGraph(State)
last = START
for n in ["a", "b"]:
    for kind, fn in {
        "partial": partial(work, name=n),
        "lambda": lambda s, n=n: {"log": [n, PREFIX]},
        "made": make(n, 2),
    }.items():
        g.add_node(f"{kind}_{n}", fn)
        g.add_edge(last, f"{kind}_{n}")
        last = f"{kind}_{n}"
for index, step in enumerate([first, second]):
    g.add_node(f"step{index}", step)
    g.add_node(f"other{index}", step.other)
    g.add_edge(last, f"step{index}")
    g.add_edge(f"step{index}", f"other{index}")
    last = f"other{index}"
g.add_edge(last, END)
app = g.compile()
