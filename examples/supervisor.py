"""A supervisor with sub-agents: it hands work to a librarian and a calculator, each a graph of its own.

    agentweaver run examples/supervisor.py

The sub-agents share only `messages` with the supervisor and come back to it by
`Command.PARENT`. The offline model follows supervisor.script.yaml, the request is in
supervisor.input.json.
"""

from typing import Literal

from langchain_core.messages import AIMessage, SystemMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import Command
from pydantic import BaseModel

HANDOVERS_MAX = 6
SHELF = {"mount everest": 8849, "mont blanc": 4806, "zugspitze": 2962}


@tool
def height(mountain: str) -> str:
    """Height of a mountain in metres."""
    metres = SHELF.get(mountain.lower())
    return f"{mountain}: {metres} m" if metres else f"{mountain} is not on the shelf"


@tool
def divide(a: float, b: float) -> str:
    """Divides a by b."""
    return f"{a / b:.2f}" if b else "cannot divide by zero"


class Decision(BaseModel):
    """Who works next, or `finish` when the request is answered."""

    next: Literal["librarian", "calculator", "finish"]
    task: str


class Team(MessagesState):
    handovers: int


model = ChatOpenAI(model="gpt-4o-mini", temperature=0)
decide = model.with_structured_output(Decision)


def work(name: str, role: str, worker, messages: list) -> Command:
    """One turn of a sub-agent: more tool calls, or the report to the parent."""
    answer = worker.invoke([SystemMessage(role)] + messages)
    if answer.tool_calls:
        return Command(update={"messages": [answer]}, goto="use_tools")
    report = AIMessage(answer.content, name=name)
    return Command(graph=Command.PARENT, update={"messages": [report]}, goto="supervisor")


library = [height]
librarian_model = model.bind_tools(library)


def librarian(state: MessagesState) -> Command[Literal["use_tools"]]:
    return work("librarian", "You are the librarian. Look facts up.", librarian_model, state["messages"])


librarian_agent = StateGraph(MessagesState)
librarian_agent.add_node("librarian", librarian)
librarian_agent.add_node("use_tools", ToolNode(library))
librarian_agent.add_edge(START, "librarian")
librarian_agent.add_edge("use_tools", "librarian")


arithmetic = [divide]
calculator_model = model.bind_tools(arithmetic)


def calculator(state: MessagesState) -> Command[Literal["use_tools"]]:
    return work("calculator", "You are the calculator. Use the tools for numbers.", calculator_model, state["messages"])


calculator_agent = StateGraph(MessagesState)
calculator_agent.add_node("calculator", calculator)
calculator_agent.add_node("use_tools", ToolNode(arithmetic))
calculator_agent.add_edge(START, "calculator")
calculator_agent.add_edge("use_tools", "calculator")


def supervisor(state: Team) -> Command[Literal["librarian", "calculator", "__end__"]]:
    handovers = state.get("handovers", 0)
    rules = SystemMessage("You lead a librarian (facts) and a calculator (numbers). Who is next?")
    decision = decide.invoke([rules] + state["messages"])
    if decision.next == "finish" or handovers >= HANDOVERS_MAX:
        return Command(update={"messages": [AIMessage(decision.task, name="supervisor")]}, goto=END)
    order = AIMessage(f"{decision.next}, please: {decision.task}", name="supervisor")
    return Command(update={"messages": [order], "handovers": handovers + 1}, goto=decision.next)


graph = StateGraph(Team)
graph.add_node("supervisor", supervisor)
graph.add_node("librarian", librarian_agent.compile())
graph.add_node("calculator", calculator_agent.compile())
graph.add_edge(START, "supervisor")
app = graph.compile()
