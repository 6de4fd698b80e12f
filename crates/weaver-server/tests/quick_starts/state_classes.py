"""State as classes with methods, validators and members of enums; exceptions that build on one another."""

import operator
from dataclasses import dataclass, field
from enum import Enum, StrEnum, auto
from typing import Annotated

from langgraph.graph import END, START, StateGraph
from pydantic import BaseModel, Field, field_validator


class Mood(str, Enum):
    GOOD = "good"
    BAD = "bad"


class Size(StrEnum):
    SMALL = auto()
    LARGE = auto()


class Item(BaseModel):
    name: str
    count: int = 1

    @field_validator("name")
    @classmethod
    def tidy(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("an item needs a name")
        return value.strip().lower()

    def label(self):
        return f"{self.count} {self.name}"


class Order(BaseModel):
    items: list[Item]
    mood: Mood = Mood.GOOD
    lines: Annotated[list[str], operator.add] = Field(default_factory=list)

    @property
    def total(self) -> int:
        return sum(item.count for item in self.items)

    def labels(self):
        return [item.label() for item in self.items]


class ShopError(Exception):
    def __init__(self, message, code=1):
        super().__init__(message)
        self.code = code

    def describe(self):
        return f"{self.__class__.__name__} {self.code}: {self}"


class SoldOut(ShopError):
    def __init__(self, what):
        super().__init__(f"no {what} left", code=404)
        self.what = what


class Gone(SoldOut):
    def __str__(self):
        return super().__str__() + " ever"


@dataclass
class Tally:
    counts: list[int] = field(default_factory=list)
    size: Size = Size.SMALL

    def __post_init__(self):
        self.sum = sum(self.counts)


def count(state: Tally):
    size = Size.LARGE if state.sum > 2 else Size.SMALL
    return {"size": size, "counts": state.counts + [state.sum]}


tally = StateGraph(Tally)
tally.add_node(count)
tally.add_edge(START, "count")
tally = tally.compile()


def list_items(state: Order):
    counted = tally.invoke({"counts": [item.count for item in state.items]})
    return {"lines": [f"{state.total}: {state.labels()} {counted['size']} {counted['counts']}"]}


def judge(state):
    mood = state.mood
    facts = [isinstance(mood, str), isinstance(mood, Mood), isinstance(mood, Enum), isinstance(Size.SMALL, int)]
    return {"lines": [f"{mood.value} {str(mood)} {Size.LARGE} {'say ' + mood} {facts}"]}


def fail(state: Order):
    lines = []
    for error in (SoldOut("tea"), Gone("cups"), ShopError("closed")):
        try:
            raise error
        except SoldOut as caught:
            lines.append(f"{caught.describe()} ({caught.what})")
        except ShopError as caught:
            lines.append(caught.describe())
    return {"lines": lines}


graph = StateGraph(Order)
graph.add_node(list_items)
graph.add_node(judge)
graph.add_node(fail)
graph.add_edge(START, "list_items")
graph.add_edge("list_items", "judge")
graph.add_edge("judge", "fail")
graph.add_edge("fail", END)
app = graph.compile()
