"""A subgraph whose node goes to nodes of the graph around it, which no edge leads to."""

from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Command


def choose(state: MessagesState):
    goto = "short" if len(state["messages"]) < 2 else "long"
    return Command(goto=goto, graph=Command.PARENT)


chooser = StateGraph(MessagesState).add_node(choose).add_edge(START, "choose").compile()


def short(state: MessagesState):
    return {"messages": [("ai", "short")]}


def long(state: MessagesState):
    return {"messages": [("ai", "long")]}


graph = StateGraph(MessagesState)
graph.add_node("chooser", chooser)
graph.add_node(short)
graph.add_node(long)
graph.add_edge(START, "chooser")
graph.add_edge("short", END)
graph.add_edge("long", END)
app = graph.compile()
