"""Module state that functions need is kept with what changes it."""
import logging
import time
from typing import TypedDict

from langgraph.graph import END, START, StateGraph

logger = logging.getLogger(__name__)
CONFIG = {"a": 1}
CONFIG["b"] = 2
CONFIG.update(c=3)
ITEMS = []
for i in range(3):
    ITEMS.append(i)
unused = [1, 2, 3]
print("never run", CONFIG)


def retry(times):
    def wrap(fn):
        def inner(state):
            for _ in range(times):
                try:
                    return fn(state)
                except ValueError:
                    time.sleep(0)
            return None

        return inner

    return wrap


class State(TypedDict):
    v: int


@retry(3)
def node(state: State):
    import json as j
    from math import floor

    logger.info("x")
    return {"v": CONFIG["b"] + len(ITEMS) + floor(1.5) + len(j.dumps({}))}


builder = StateGraph(State)
builder.add_node("node", node)
builder.add_edge(START, "node")
builder.add_edge("node", END)
app = builder.compile()
