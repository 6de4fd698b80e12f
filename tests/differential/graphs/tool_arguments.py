"""Arguments as models write them: texts for numbers, what no tool takes, and a result with an artifact."""

from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode


@tool
def add(a: int, b: float = 0.5) -> str:
    """Adds."""
    return repr(a + b)


@tool
def kinds(flag: bool, counts: list[int], name: str = "none") -> str:
    """Shows what it was given."""
    return repr([flag, counts, name])


@tool(response_format="content_and_artifact")
def retrieve(query: str):
    """Finds passages."""
    passages = [{"id": 1, "text": query}]
    return f"{len(passages)} passage(s)", passages


def plan(state: MessagesState):
    calls = [
        {"name": "add", "args": {"a": "3"}, "id": "c1"},
        {"name": "add", "args": {"a": 3.0, "b": " 1.5 "}, "id": "c2"},
        {"name": "kinds", "args": {"flag": "yes", "counts": ["1", 2], "colour": "red"}, "id": "c3"},
        {"name": "retrieve", "args": {"query": "q"}, "id": "c4"},
    ]
    return {"messages": [AIMessage("", tool_calls=calls, id="plan")]}


g = StateGraph(MessagesState)
g.add_node("plan", plan)
g.add_node("tools", ToolNode([add, kinds, retrieve]))
g.add_edge(START, "plan")
g.add_edge("plan", "tools")
app = g.compile()
