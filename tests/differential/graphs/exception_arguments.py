"""Exceptions made with numbers, several arguments or nothing, and what they say when they are caught."""

from typing import TypedDict

from langgraph.graph import START, StateGraph


class State(TypedDict):
    kind: str
    seen: list


def collect(state: State):
    seen = []
    for make in (
        lambda: ValueError(3),
        lambda: ValueError("a", 1),
        lambda: KeyError("text"),
        lambda: KeyError(3),
        lambda: RuntimeError({"code": 5}),
        lambda: TypeError(),
    ):
        try:
            raise make()
        except (ValueError, KeyError) as error:
            seen.append([type(error).__name__, str(error), repr(error), list(error.args)])
        except Exception as error:
            seen.append(["other", str(error), isinstance(error, RuntimeError)])
    return {"seen": seen}


def fail(state: State):
    if state["kind"] == "number":
        raise ValueError(42)
    if state["kind"] == "several":
        raise ValueError("a", ["b"])
    if state["kind"] == "key":
        raise KeyError("it's a key")
    if state["kind"] == "class":
        raise KeyError
    return {"seen": state["seen"] + [{}[state["kind"]]]}


app = StateGraph(State).add_sequence([collect, fail]).add_edge(START, "collect").compile()
