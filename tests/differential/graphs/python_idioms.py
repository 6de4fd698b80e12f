"""What people write between two calls of a model: methods as values, replacements by function, small decorators."""

import functools
import json
import re
import statistics
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from typing import TypedDict

from langgraph.graph import END, START, StateGraph
from pydantic import BaseModel, Field, ValidationError

STOP = frozenset("the a and of".split())


class State(TypedDict, total=False):
    text: str
    words: list[str]
    found: dict
    report: str
    trace: list[str]


@dataclass(kw_only=True)
class Score:
    word: str
    times: int = 0
    notes: list = field(default_factory=list)


class Sender(BaseModel):
    name: str = Field(min_length=2)
    age: int = Field(ge=0)


class Letter(BaseModel):
    sender: Sender
    pages: int


def traced(function):
    @functools.wraps(function)
    def wrapper(state: State):
        return {**function(state), "trace": state.get("trace", []) + [function.__name__]}

    return wrapper


@traced
def split(state: State):
    words = map(str.lower, re.findall(r"[a-z]+", state["text"], re.IGNORECASE))
    return {"words": [word for word in words if word not in STOP]}


@traced
def count(state: State):
    counts = Counter(state["words"])
    best = max(counts, key=counts.get)
    seen = []
    keep = seen.append
    for word in sorted(counts, key=str.upper):
        keep(word)
    ages = (len(word) for word in seen)
    return {
        "found": {
            "best": best,
            "long": next((word for word in seen if len(word) > 5), None),
            "none": next((word for word in seen if len(word) > 50), None),
            "first_two": [next(ages), next(ages)],
            "rest": sum(ages),
            "joined": list(map("-".join, [seen[:2], seen[2:]])),
            "stripped": list(map(str.strip, [" x ", "y "])),
            "digits": list(filter(str.isdigit, "a1b2")),
            "mean": statistics.mean([1, 2, 3]),
            "rounded": [round(2.675, 2), round(0.125, 2), round(2.5), round(1234.5, -2)],
            "score": str(Score(word=best, times=counts[best]).times),
        }
    }


def check(state: State):
    problems = []
    try:
        assert state["words"] == [], "there are words"
    except AssertionError as error:
        problems.append(str(error))
    try:
        Letter(sender={"name": "x", "age": -1}, pages="many")
    except ValidationError as error:
        problems.extend(".".join(map(str, problem["loc"])) for problem in error.errors())
        problems.append(error.error_count())
    capitals = re.sub(r"\b(\w)(\w*)", lambda match: match.group(1).upper() + match[2], "one two", count=1)
    blanks = re.compile(r"\s+").sub(lambda match: "_" * len(match[0]), "a  b")
    report = json.dumps({"at": date(2024, 2, 29), "tags": {7}, "in": [{"x": date(2024, 3, 1)}]}, default=lambda x: list(x) if isinstance(x, set) else str(x))
    return {"found": {**state["found"], "problems": problems}, "report": f"{capitals} {blanks} {report} {check.__name__}"}


g = StateGraph(State)
for node in [split, count, check]:
    g.add_node(node.__name__, node)
g.add_edge(START, split.__name__)
g.add_edge("split", "count")
g.add_edge("count", "check")
g.add_edge("check", END)
app = g.compile()
