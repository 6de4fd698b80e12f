from typing import Annotated, Literal

from langchain_openai import ChatOpenAI
from langgraph.graph import StateGraph, START, END
from langgraph.graph.message import add_messages
from langgraph.types import Command
from typing_extensions import TypedDict


class AgentState(TypedDict):
    messages: Annotated[list, add_messages]
    turns: int


class Agent:
    limit = 4

    def __init__(self, model, name="agent"):
        self.model = model
        self.name = name
        builder = StateGraph(AgentState)
        builder.add_node("think", self.think)
        builder.add_node("act", self.act)
        builder.add_edge(START, "think")
        builder.add_edge("act", "think")
        self.graph = builder.compile()

    def think(self, state: AgentState) -> Command[Literal["act", "__end__"]]:
        if state["turns"] > self.limit:
            return Command(goto=END)
        return Command(update={"turns": state["turns"] + 1}, goto="act")

    def act(self, state: AgentState):
        return {"messages": [self.model.invoke(state["messages"])]}


agent = Agent(ChatOpenAI(model="gpt-4o-mini"))
app = agent.graph
