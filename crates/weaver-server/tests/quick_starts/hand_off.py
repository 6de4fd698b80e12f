"""A desk clerk passes each request to the agent that can do it."""

from typing import Annotated

from langchain_core.tools import InjectedToolCallId, tool
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import InjectedState, create_react_agent
from langgraph.types import Command


def pass_to(colleague: str, *, about: str | None = None):
    title = f"pass_to_{colleague}"

    @tool(title, description=about or f"Passes the request to {colleague}.")
    def give(
        state: Annotated[MessagesState, InjectedState],
        call: Annotated[str, InjectedToolCallId],
    ) -> Command:
        note = {"role": "tool", "name": title, "tool_call_id": call, "content": "passed on"}
        said = state["messages"] + [note]
        return Command(graph=Command.PARENT, goto=colleague, update={**state, "messages": said})

    return give


def plus(left: int, right: int) -> int:
    """Adds up two numbers."""
    return left + right


def timetable(city: str) -> str:
    """Looks up when trains leave a city."""
    return f"The train leaves {city} at noon."


sums = create_react_agent("openai:gpt-4o", [plus], name="sums", prompt="You add up.")
trains = create_react_agent("openai:gpt-4o", [timetable], name="trains", prompt="You know trains.")
clerk = create_react_agent(
    "openai:gpt-4o",
    [pass_to("trains"), pass_to("sums", about="For anything with numbers.")],
    name="clerk",
)
desk = StateGraph(MessagesState)
desk.add_node(clerk, destinations=("sums", "trains", END))
desk.add_node(sums)
desk.add_node(trains)
desk.add_edge(START, "clerk")
desk.add_edge("sums", END)
desk.add_edge("trains", END)
app = desk.compile()
