"""A prebuilt agent that wants two tools in one turn, one of which asks a person."""

from typing import Annotated

from langchain_core.tools import tool
from langgraph.graph import MessagesState
from langgraph.prebuilt import InjectedState, create_react_agent
from langgraph.types import interrupt


class State(MessagesState):
    remaining_steps: int
    budget: int


@tool
def price(hotel: str) -> str:
    """Price of a hotel."""
    return f"{hotel} costs 70"


@tool
def book(hotel: str, budget: Annotated[int, InjectedState("budget")]) -> str:
    """Books a hotel when a person agrees."""
    return f"{hotel} for {budget}: " + interrupt({"book": hotel})


app = create_react_agent("openai:gpt-4o-mini", [price, book], state_schema=State)
