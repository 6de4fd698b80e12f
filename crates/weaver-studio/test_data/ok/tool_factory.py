from typing import Annotated

from langchain_core.tools import InjectedToolCallId, tool
from langchain_openai import ChatOpenAI
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import InjectedState, ToolNode, create_react_agent
from langgraph.types import Command


def hand_off(*, to: str, description: str | None = None):
    name = f"transfer_to_{to}"

    @tool(name, description=description or f"Ask {to}.")
    def transfer(
        state: Annotated[dict, InjectedState],
        tool_call_id: Annotated[str, InjectedToolCallId],
        why: str = "",
    ) -> Command:
        return Command(goto=to, update={"messages": state["messages"]}, graph=Command.PARENT)

    return transfer


class Shout:
    def __init__(self, mark: str):
        self.mark = mark

    def __call__(self, state: MessagesState):
        return {"messages": [state["messages"][-1].content + self.mark]}


to_math = hand_off(to="math")
to_search = hand_off(to="search", description="Look it up.")
boss = create_react_agent(ChatOpenAI(), [to_math, to_search], name="boss")
graph = StateGraph(MessagesState)
graph.add_node(boss, destinations=["math", "search"])
graph.add_node("math", Shout("!"))
graph.add_node("search", Shout("?"))
graph.add_node("tools", ToolNode([to_math, to_search]))
graph.add_edge(START, "boss")
graph.add_edge("search", "tools")
app = graph.compile()
