"""Enum members in a state are members again in the next node, also inside lists and dataclasses."""

from dataclasses import dataclass
from enum import Enum
from typing import Optional, TypedDict

from langgraph.graph import END, START, StateGraph


class Color(Enum):
    RED = "red"
    BLUE = "blue"


class Size(int, Enum):
    SMALL = 1
    BIG = 2


@dataclass
class Shirt:
    color: Color
    size: Size


class State(TypedDict, total=False):
    color: Color
    other: Optional[Color]
    sizes: list[Size]
    by_name: dict[str, Color]
    shirt: Shirt
    seen: list


class Output(TypedDict):
    seen: list


def choose(state: State):
    return {
        "color": Color.BLUE,
        "other": None,
        "sizes": [Size.BIG, Size.SMALL],
        "by_name": {"sky": Color.BLUE},
        "shirt": Shirt(Color.RED, Size.BIG),
    }


def look(state: State):
    return {
        "seen": [
            state["color"].name,
            state["color"].value,
            state["color"] is Color.BLUE,
            isinstance(state["color"], Color),
            state["other"],
            [size.name for size in state["sizes"]],
            state["by_name"]["sky"].name,
            state["shirt"].color.name,
            state["shirt"].size + 1,
        ]
    }


def route(state: State):
    return "last" if state["color"] is Color.BLUE else END


def last(state: State):
    return {"seen": state["seen"] + [state["color"] == Color.BLUE]}


graph = StateGraph(State, output_schema=Output)
graph.add_node("choose", choose)
graph.add_node("look", look)
graph.add_node("last", last)
graph.add_edge(START, "choose")
graph.add_edge("choose", "look")
graph.add_conditional_edges("look", route, ["last", END])
app = graph.compile()
