"""Bench shape: one Send per subject to a subgraph of three nodes with a loop of two rounds."""

import operator
from typing import Annotated, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.types import Send


class Overall(TypedDict):
    subjects: list[str]
    jokes: Annotated[list[str], operator.add]


class Joke(TypedDict):
    subject: str
    rounds: int
    jokes: list[str]


class JokeOutput(TypedDict):
    jokes: list[str]


def edit(state: Joke):
    return {"subject": state["subject"] + " - edited", "rounds": 0}


def generate(state: Joke):
    return {"jokes": ["a joke about " + state["subject"]]}


def bump(state: Joke):
    return {"jokes": [state["jokes"][0] + " and more"], "rounds": state["rounds"] + 1}


def again(state: Joke):
    return "generate" if state["rounds"] < 2 else END


joke = StateGraph(Joke, output_schema=JokeOutput)
joke.add_node("edit", edit)
joke.add_node("generate", generate)
joke.add_node("bump", bump)
joke.add_edge(START, "edit")
joke.add_edge("edit", "generate")
joke.add_edge("generate", "bump")
joke.add_conditional_edges("bump", again, ["generate", END])


def fan_out(state: Overall):
    return [Send("joke", {"subject": subject}) for subject in state["subjects"]]


graph = StateGraph(Overall)
graph.add_node("joke", joke.compile())
graph.add_conditional_edges(START, fan_out, ["joke"])
graph.add_edge("joke", END)
app = graph.compile()
