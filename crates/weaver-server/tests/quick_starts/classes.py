"""Classes as people write them: inheritance, properties, enums, validators, generators."""

from collections.abc import Iterator
from datetime import datetime
from enum import Enum
from typing import Annotated, NotRequired, TypedDict

from langgraph.graph import END, START, StateGraph
from pydantic import BaseModel, Field, field_validator, model_validator


class Level(str, Enum):
    CALM = "calm"
    LOUD = "loud"

    @classmethod
    def of(cls, marks: int):
        return cls.LOUD if marks > 1 else cls.CALM

    def shout(self):
        return self.value.upper()


class Note(BaseModel):
    title: str
    level: Level = Level.CALM
    tags: list[str] = Field(default_factory=lambda: ["new"])
    stamp: float = Field(default_factory=lambda: datetime.now().timestamp())
    slug: str | None = None

    @field_validator("title")
    @classmethod
    def tidy(cls, value: str) -> str:
        value = value.strip()
        if not value:
            raise ValueError("a note needs a title")
        return value

    @field_validator("tags", mode="before")
    @classmethod
    def as_list(cls, value):
        return value.split(",") if isinstance(value, str) else value

    @model_validator(mode="after")
    def name(self):
        self.slug = self.slug or self.title.lower().replace(" ", "-")
        return self

    @property
    def label(self) -> str:
        return f"{self.level.value}/{self.slug}"


class Printer:
    mark = "-"

    def __init__(self, width: int):
        self.width = width

    def line(self, text: str) -> str:
        return f"{self.mark} {text!r:>{self.width}}"

    @staticmethod
    def double(text: str) -> str:
        return text + text

    @property
    def ruler(self) -> str:
        return self.mark * self.width


class Framed(Printer):
    mark = "*"

    def __init__(self, width: int, frame: str):
        super().__init__(width)
        self.frame = frame

    def line(self, text: str) -> str:
        return self.frame + super().line(text) + self.frame


def pairs(words: list[str]) -> Iterator[tuple[str, str]]:
    if len(words) < 2:
        return
    for index in range(0, len(words) - 1, 2):
        yield words[index], words[index + 1]
    yield from [("the", "end")]


class State(TypedDict):
    text: str
    lines: Annotated[list[str], lambda old, new: old + new]
    problem: NotRequired[str]


def write(state: State):
    note = Note(title=f"  {state['text']} ", level=Level.of(2), tags="a,b")
    framed = Framed(6, "|")
    return {
        "lines": [
            note.label,
            f"{note.tags} {Note(title='x').tags} {note.stamp > 0}",
            f"{note.level.shout()} {Level('calm').name} {[level.value for level in Level]}",
            framed.line("hi"),
            f"{framed.ruler} {Framed.double('ab')} {isinstance(framed, Printer)}",
            f"{list(pairs(['a', 'b', 'c', 'd']))} {list(pairs([]))}",
        ]
    }


def refuse(state: State):
    try:
        Note(title="   ")
    except ValueError as error:
        return {"problem": str(error)}


graph = StateGraph(State)
graph.add_node(write)
graph.add_node(refuse)
graph.add_edge(START, "write")
graph.add_edge("write", "refuse")
graph.add_edge("refuse", END)
app = graph.compile()
