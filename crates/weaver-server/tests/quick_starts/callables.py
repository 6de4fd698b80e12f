"""Objects as nodes, a node of tools with a fallback, a stream read with `async for`."""

from datetime import datetime
from typing import Annotated, TypedDict

from langchain_core.documents import Document
from langchain_core.messages import ToolMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.prebuilt import ToolNode, tools_condition


class State(TypedDict):
    messages: Annotated[list, add_messages]
    found: list[Document]
    closing: str


@tool
def stock(item: str, config: RunnableConfig) -> str:
    """Says how many pieces of an item are in stock."""
    raise RuntimeError("the shelf on " + config["configurable"]["thread_id"] + " fell over")


model = ChatOpenAI(model="gpt-4o")
chain = ChatPromptTemplate.from_messages(
    [("system", "You keep the shop. It is {now}."), ("placeholder", "{messages}")]
).partial(now=datetime.now) | model.bind_tools([stock])


class Clerk:
    def __init__(self, runnable):
        self.runnable = runnable

    def __call__(self, state: State, config: RunnableConfig):
        return {"messages": self.runnable.invoke(state)}


def apologise(state):
    problem = type(state["error"]).__name__
    calls = state["messages"][-1].tool_calls
    return {"messages": [ToolMessage(f"sorry: {problem}", tool_call_id=c["id"]) for c in calls]}


def guarded(tools: list):
    return ToolNode(tools).with_fallbacks([RunnableLambda(apologise)], exception_key="error")


def look(state: State):
    return {"found": [Document(page_content="opening hours", metadata={"page": 3})]}


async def close(state: State):
    writer = get_stream_writer()
    parts = []
    async for chunk in model.astream(state["found"][0].page_content):
        writer({"part": chunk.content})
        parts.append(chunk.content)
    return {"closing": "".join(parts)}


graph = StateGraph(State)
graph.add_node("look", look)
graph.add_node("clerk", Clerk(chain))
graph.add_node("tools", guarded([stock]))
graph.add_node("close", close)
graph.add_edge(START, "look")
graph.add_edge("look", "clerk")
graph.add_conditional_edges("clerk", tools_condition, {"tools": "tools", END: "close"})
graph.add_edge("tools", "clerk")
graph.add_edge("close", END)
app = graph.compile()
