from typing import Annotated, TypedDict
from operator import add
from langgraph.graph import START, END, StateGraph
from agentweaver import nodes, llm

class State(TypedDict):
    question: str
    findings: Annotated[list[str], add]
    answer: str

def analyse(state: State) -> dict:
    """A plain function node."""
    reply = llm("claude", f"What is missing to answer: {state['question']}?")
    return {"findings": [reply.text]}

def enough(state: State) -> str:
    return "answer" if len(state["findings"]) >= 3 else "search"

graph = StateGraph(State)
graph.add_node("search", nodes.http(url="https://search.example/?q={{ question }}", into="findings"))
graph.add_node("analyse", analyse)
graph.add_node("answer", nodes.llm(model="claude", prompt="Answer {{ question }} from {{ findings }}", into="answer"))
graph.add_edge(START, "search")
graph.add_edge("search", "analyse")
graph.add_conditional_edges("analyse", enough, {"answer": "answer", "search": "search"})
graph.add_edge("answer", END)
app = graph.compile()
