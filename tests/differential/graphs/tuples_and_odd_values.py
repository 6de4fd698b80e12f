"""Odd values in saved state: tuples, sets, bytes, dates, odd floats, nested and empty things."""

import datetime
from typing import Any, TypedDict

from langgraph.graph import START, StateGraph


class State(TypedDict):
    value: Any
    kinds: list


def make(state: State):
    return {
        "value": {
            "tuple": (1, (2, 3)),
            "set": {3, 1, 2},
            "frozen": frozenset(["b", "a"]),
            "bytes": b"\x00\xffraw",
            "date": datetime.date(2024, 2, 29),
            "datetime": datetime.datetime(2024, 2, 29, 12, 30, 15),
            "negative": -(2**63),
            "floats": [1.0, -0.5, 1e300, float("inf"), float("nan")],
            "text": "ü \u6f22 \U0001f600 \n\t\"",
            "nested": [[], {}, [{}], None, True, False, 0],
            "keys": {1: "int", "s": "str"},
        }
    }


def look(state: State):
    value = state["value"]
    return {"kinds": [len(value["tuple"]), sorted(value["set"]), value["bytes"][1], value["date"].year, value["keys"][1]]}


app = StateGraph(State).add_sequence([make, look]).add_edge(START, "make").compile()
