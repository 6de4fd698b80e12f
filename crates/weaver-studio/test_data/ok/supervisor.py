from typing import Literal, TypedDict

from langchain.chat_models import init_chat_model
from langchain_core.messages import HumanMessage
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Command

MEMBERS = ["researcher", "coder"]
OPTIONS = MEMBERS + ["FINISH"]
PROMPT = f"Choose one of {MEMBERS[0]} and {MEMBERS[1]}."


class Router(TypedDict):
    """Worker to route to next."""

    next: Literal["researcher", "coder", "FINISH"]


llm = init_chat_model("openai:gpt-4o")


class State(MessagesState):
    next: str


def supervisor(state: State) -> Command[Literal["researcher", "coder", "__end__"]]:
    messages = [{"role": "system", "content": PROMPT}] + state["messages"]
    response = llm.with_structured_output(Router).invoke(messages)
    goto = response["next"]
    if goto == "FINISH":
        goto = END
    return Command(goto=goto, update={"next": goto})


def make_worker(name: str):
    def worker(state: State) -> Command[Literal["supervisor"]]:
        reply = llm.invoke(state["messages"])
        return Command(
            update={"messages": [HumanMessage(content=reply.content, name=name)]}, goto="supervisor"
        )

    return worker


builder = StateGraph(State)
builder.add_edge(START, "supervisor")
builder.add_node("supervisor", supervisor)
for member in MEMBERS:
    builder.add_node(member, make_worker(member))
graph = builder.compile()
