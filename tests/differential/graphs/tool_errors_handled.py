"""handle_tool_errors= as a class, a tuple of classes and functions with and without annotation."""

from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode


class TooBig(ValueError):
    pass


@tool
def work(kind: str) -> str:
    """Fails in several ways."""
    if kind == "big":
        raise TooBig("it is too big")
    if kind == "key":
        raise KeyError("k")
    if kind == "zero":
        return str(1 / 0)
    if kind == "type":
        raise TypeError("wrong type")
    return "fine"


def explain(error: ValueError | KeyError) -> str:
    return f"explained {type(error).__name__}: {error}"


def anything(error) -> str:
    return f"anything {error!r}"


def ask(state: MessagesState):
    kind = state["messages"][-1].content.split()[-1]
    return {"messages": [AIMessage("", tool_calls=[{"name": "work", "args": {"kind": kind}, "id": "c"}], id="a")]}


def route(state: MessagesState):
    return state["messages"][-2].content.split()[0]


g = StateGraph(MessagesState)
g.add_node("ask", ask)
g.add_node("class", ToolNode([work], handle_tool_errors=ValueError))
g.add_node("tuple", ToolNode([work], handle_tool_errors=(LookupError, ArithmeticError)))
g.add_node("function", ToolNode([work], handle_tool_errors=explain))
g.add_node("anything", ToolNode([work], handle_tool_errors=anything))
g.add_node("lambda", ToolNode([work], handle_tool_errors=lambda e: "lambda says no"))
g.add_edge(START, "ask")
g.add_conditional_edges("ask", route, ["class", "tuple", "function", "anything", "lambda"])
app = g.compile()
