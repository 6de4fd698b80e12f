"""Input, output and private schemas: what comes in, what goes out, what nodes pass among themselves."""

from operator import add
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph


class Question(TypedDict):
    question: str


class Answer(TypedDict):
    answer: str
    trail: Annotated[list, add]


class Everything(TypedDict):
    question: str
    answer: str
    trail: Annotated[list, add]


class Notes(TypedDict):
    notes: list


def think(state: Question) -> Notes:
    return {"notes": [f"thinking about {state['question']}", sorted(state)], "trail": ["think"]}


def write(state: Notes):
    return {"answer": f"notes were {state['notes']}", "trail": [f"write saw {sorted(state)}"], "no_such_key": 1}


def check(state: Everything):
    return {"trail": [f"check saw {sorted(state)}"]}


b = StateGraph(Everything, input_schema=Question, output_schema=Answer)
b.add_node("think", think)
b.add_node("write", write)
b.add_node("check", check)
b.add_edge(START, "think")
b.add_edge("think", "write")
b.add_edge("write", "check")
app = b.compile()
