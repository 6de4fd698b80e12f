"""MessagesState with more keys, an Enum of constants, and a partial update."""

from enum import Enum
from typing import Annotated, Optional

from langchain_core.messages import AIMessage
from langgraph.graph import END, START, MessagesState, StateGraph


class Mood(str, Enum):
    GOOD = "good"
    BAD = "bad"


class Chat(MessagesState):
    mood: str
    summary: Optional[str]
    asked: Annotated[int, lambda a, b: a + b]


def listen(state: Chat):
    text = state["messages"][-1].content
    mood = Mood.BAD if "angry" in text else Mood.GOOD
    return {"mood": mood.value, "asked": 1}


def soothe(state: Chat):
    return {"messages": [AIMessage("there, there")], "summary": f"{len(state['messages'])} messages"}


def answer(state: Chat):
    return {"messages": [AIMessage(f"fine, asked {state['asked']}")]}


def by_mood(state: Chat) -> str:
    return {"bad": "soothe", "good": "answer"}[state["mood"]]


workflow = StateGraph(Chat)
workflow.add_node("listen", listen)
workflow.add_node("soothe", soothe)
workflow.add_node("answer", answer)
workflow.add_edge(START, "listen")
workflow.add_conditional_edges("listen", by_mood, ["soothe", "answer"])
workflow.add_edge("soothe", END)
workflow.add_edge("answer", END)
app = workflow.compile()
