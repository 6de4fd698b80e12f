from typing import TypedDict

from langgraph.graph import END, START, StateGraph


class State(TypedDict):
    n: int


def step(state: State):
    return {"n": state["n"] + 1}


def finish(builder, last):
    builder.add_edge(last, END)
    return builder


def chain(length, prefix="s"):
    g = StateGraph(State)
    previous = START
    for i in range(length):
        name = f"{prefix}{i}"
        g.add_node(name, step)
        g.add_edge(previous, name)
        previous = name
    finish(g, previous)
    return g.compile()


short = chain(2)
long = chain(length=3, prefix="n")


def unknown_size(config):
    g = StateGraph(State)
    g.add_node("always", step)
    g.add_edge(START, "always")
    if config["extra"]:
        g.add_node("extra", step)
        g.add_edge("always", "extra")
    for tool in config["tools"]:
        g.add_node(tool, step)
    g.add_edge("always", END)
    return g.compile()


def call_sub(state: State):
    return short.invoke(state)


parent = StateGraph(State)
parent.add_node("sub", short)
parent.add_node("call", call_sub)
parent.add_edge(START, "sub")
parent.add_edge("sub", "call")
parent.add_edge("call", END)
DEBUG = False
if DEBUG:
    parent.add_node("debug", step)
app = parent.compile()
