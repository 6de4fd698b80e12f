"""A TypedDict state with nodes that ask for pydantic and dataclass views of it; values that are schema instances."""

from dataclasses import dataclass
from typing import TypedDict

from langgraph.graph import START, StateGraph
from pydantic import BaseModel


class Address(BaseModel):
    city: str
    zip: str = "0000"


@dataclass
class Parcel:
    weight: float


class State(TypedDict):
    address: Address
    parcel: Parcel
    label: str


class View(BaseModel):
    label: str


def pack(state: State):
    return {"address": Address(city="Oslo"), "parcel": Parcel(weight=1.5), "label": "raw"}


def stamp(view: View):
    return {"label": view.label.upper()}


def send(state: State):
    return {"label": f"{state['label']} to {state['address'].city} {state['address'].zip}, {state['parcel'].weight} kg"}


g = StateGraph(State)
g.add_node(pack)
g.add_node(stamp)
g.add_node(send)
g.add_edge(START, "pack")
g.add_edge("pack", "stamp")
g.add_edge("stamp", "send")
app = g.compile()
