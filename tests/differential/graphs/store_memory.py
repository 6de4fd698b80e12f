"""The store: long-term memory across threads, by parameter and by runtime."""

from typing import TypedDict

from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime
from langgraph.store.base import BaseStore


class State(TypedDict):
    user: str
    text: str
    seen: list


def remember(state: State, *, store: BaseStore):
    space = ("memories", state["user"])
    number = len(store.search(space))
    store.put(space, f"m{number}", {"text": state["text"], "kind": "long" if len(state["text"]) > 5 else "short"})
    if state["text"] == "forget":
        store.delete(space, "m0")


def recall(state: State, runtime: Runtime):
    space = ("memories", state["user"])
    items = runtime.store.search(space, filter={"kind": "short"})
    first = runtime.store.get(space, "m0")
    missing = runtime.store.get(space, "nothing")
    return {
        "seen": [
            sorted(f"{item.key}: {item.value['text']}" for item in items),
            first.value if first else None,
            missing,
            sorted(list(space) for space in runtime.store.list_namespaces(prefix=("memories",))),
        ]
    }


b = StateGraph(State)
b.add_node(remember)
b.add_node(recall)
b.add_edge(START, "remember")
b.add_edge("remember", "recall")
app = b.compile()
