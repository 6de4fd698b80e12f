from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Annotated, Any, Dict, List, Literal, NamedTuple, Optional, Tuple, Union

from langchain_core.messages import AnyMessage, BaseMessage
from langgraph.channels import EphemeralValue, LastValue, Topic
from langgraph.graph import END, START, MessagesState, StateGraph, add_messages
from langgraph.managed import IsLastStep, RemainingSteps
from pydantic import BaseModel, Field
from typing_extensions import NotRequired, Required, TypedDict

Messages = Annotated[list[AnyMessage], add_messages]
LIMIT = 5


def keep_best(old: dict, new: dict) -> dict:
    return {**old, **new}


class Color(str, Enum):
    RED = "red"
    GREEN = "green"


class Point(NamedTuple):
    x: float
    y: float = 0.0


class Base(TypedDict, total=False):
    name: Required[str]
    age: int


class State(Base):
    """Everything."""

    messages: Messages
    total: Annotated[int, operator.add]
    parts: Annotated[List[str], list.__add__]
    texts: "Annotated[list[str], operator.add]"
    flags: Annotated[set, operator.or_]
    best: Annotated[dict, keep_best]
    top: Annotated[float, max]
    first: Annotated[str, lambda old, new: old or new]
    joined: Annotated[str, lambda a, b: a + b]
    maybe: NotRequired[Optional[int]]
    topic: Annotated[list, Topic(str, accumulate=True)]
    once: Annotated[str, EphemeralValue]
    last: Annotated[str, LastValue]
    is_last: IsLastStep
    remaining: RemainingSteps


class Chat(MessagesState):
    summary: str


@dataclass
class Config:
    model: str = "gpt-4o"
    tags: list[str] = field(default_factory=list)
    retries: int = LIMIT


class Address(BaseModel):
    street: str = Field(min_length=1, max_length=80)
    zip: str | None = None


class Person(BaseModel):
    """A person."""

    name: str = Field(..., description="Full name")
    age: int = Field(default=0, ge=0, le=150)
    color: Color = Color.RED
    address: Optional[Address] = None
    friends: list[Person] = []
    scores: Dict[str, float] = Field(default_factory=dict)
    pair: Tuple[int, str] = (1, "a")
    many: tuple[int, ...] = ()
    kind: Literal["a", "b", 3] = "a"
    born: Optional[datetime] = None
    either: Union[int, str, None] = None
    anything: Any = None
    history: Sequence[BaseMessage] = []


def node(state: State):
    return {"total": 1}


def chat(state: Chat, config: Config):
    return {"summary": str(Point(1.0)), "messages": [Color.GREEN.value, Person(name="x")]}


one = StateGraph(State, output_schema=Base)
one.add_node(node)
one.add_edge(START, "node")
one.add_edge("node", END)
one_app = one.compile()

two = StateGraph(Chat, context_schema=Config)
two.add_node("chat", chat)
two.add_edge(START, "chat")
two.add_edge("chat", END)
two_app = two.compile()
