from typing import TypedDict
from langgraph.graph import StateGraph, START, END

A = "alpha"
B = f"{A}_beta"
STEPS = {"one": 1, "two": 2}
EXTRA = ["x", "y"] + ["z"]
ROUTES = {name: name for name in ["alpha"]}
PAIRS = list(zip(EXTRA, EXTRA[1:])) if False else []
ENABLED = True
LEVEL = 3


class State(TypedDict):
    n: int


def node(state: State):
    return {"n": 1}


def pick(state: State):
    return A if state["n"] else B


g = StateGraph(State)
g.add_node(A, node)
g.add_node(B, node)
for index, name in enumerate(EXTRA):
    g.add_node(f"{name}{index}", node)
    g.add_edge(f"{name}{index}", END)
for name, weight in STEPS.items():
    if weight > 1:
        g.add_node(name.upper(), node)
        g.add_edge(name.upper(), END)
        g.add_edge(B, name.upper())
g.add_conditional_edges(A, lambda s: ["x0", "y1", "z2"], [f"{n}{i}" for i, n in enumerate(EXTRA)])
if ENABLED and LEVEL >= 3 and "x" in EXTRA:
    g.add_edge(START, A)
else:
    g.add_edge(START, B)
g.add_conditional_edges(A, pick, {A: A, B: B})
app = g.compile()
