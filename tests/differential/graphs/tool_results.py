"""What tools answer as the model sees it, a lone Command, and what a tool's runtime shows."""

from dataclasses import dataclass
from typing import Annotated

from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import InjectedToolCallId, tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, ToolRuntime
from langgraph.types import Command


class Desk(MessagesState):
    owner: str
    city: str


@dataclass
class Who:
    name: str


@tool
def weather(city: str) -> dict:
    """The weather."""
    return {"city": city, "degrees": [1, 2.5], "windy": True, "note": None}


@tool
def numbers(n: int = 2) -> list:
    """Numbers."""
    return list(range(n))


@tool
def half(n: float) -> float:
    """Half of it."""
    return n / 2 if isinstance(n, float) else -1


@tool
def move(city: str, call_id: Annotated[str, InjectedToolCallId]) -> Command:
    """Moves."""
    return Command(update={"city": city, "owner": "moved", "messages": [ToolMessage(f"now in {city}", tool_call_id=call_id)]})


@tool
def look(runtime: ToolRuntime[Who]) -> str:
    """Looks around."""
    return f"{runtime.context.name} {runtime.tool_call_id} {len(runtime.state['messages'])} {runtime.state['city']}"


CALLS = [
    [{"name": "weather", "args": {"city": "Bonn"}, "id": "w"}, {"name": "numbers", "args": {}, "id": "n"}, {"name": "half", "args": {"n": 3}, "id": "h"}],
    [{"name": "move", "args": {"city": "Oslo"}, "id": "m"}],
    [{"name": "numbers", "args": {"n": 1}, "id": "n2"}, {"name": "move", "args": {"city": "Rome"}, "id": "m2"}],
    [{"name": "look", "args": {}, "id": "l"}],
]


def plan(state: Desk):
    step = sum(message.type == "ai" for message in state["messages"])
    return {"messages": [AIMessage("", tool_calls=CALLS[step], id=f"plan-{step}")]}


def more(state: Desk):
    return "plan" if sum(message.type == "ai" for message in state["messages"]) < len(CALLS) else "__end__"


g = StateGraph(Desk, context_schema=Who)
g.add_node("plan", plan)
g.add_node("tools", ToolNode([weather, numbers, half, move, look]))
g.add_edge(START, "plan")
g.add_edge("plan", "tools")
g.add_conditional_edges("tools", more)
app = g.compile()
