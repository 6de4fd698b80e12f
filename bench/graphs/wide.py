"""Bench shape: a wide state of 15 keys with 600 entries each; every step reads all and writes three."""

from typing import TypedDict

from langgraph.graph import END, START, StateGraph

STEPS = 20


class Wide(TypedDict):
    k0: dict
    k1: dict
    k2: dict
    k3: dict
    k4: dict
    k5: dict
    k6: dict
    k7: dict
    k8: dict
    k9: dict
    k10: dict
    k11: dict
    k12: dict
    k13: dict
    k14: dict
    round: int


def read(state: Wide):
    """Looks at every key, changes one entry in three of them."""
    turn = state["round"]
    total = sum(len(value) for key, value in state.items() if key != "round")
    updates = {"round": turn + 1}
    for offset in range(3):
        key = f"k{(turn * 3 + offset) % 15}"
        updates[key] = {**state[key], "entry 0": total}
    return updates


def route(state: Wide):
    return "read" if state["round"] < STEPS else END


graph = StateGraph(Wide)
graph.add_node("read", read)
graph.add_edge(START, "read")
graph.add_conditional_edges("read", route, ["read", END])
app = graph.compile()
