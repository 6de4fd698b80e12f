"""Several interrupts in one node are answered one by one, in order."""

from typing import TypedDict

from langgraph.graph import START, StateGraph
from langgraph.types import interrupt


class Form(TypedDict):
    name: str
    age: int
    colours: list


def fill(state: Form):
    name = interrupt("What is your name?")
    age = interrupt(f"How old are you, {name}?")
    while not isinstance(age, int) or age < 0:
        age = interrupt(f"{age!r} is no age, {name}.")
    colours = [interrupt(f"colour {number}") for number in range(2)]
    return {"name": name, "age": age, "colours": colours}


b = StateGraph(Form)
b.add_node("fill", fill)
b.add_edge(START, "fill")
app = b.compile()
