"""Review and revise: a writer and a critic take turns until the critic is content or the rounds are spent.

    agentweaver run examples/review_loop.py

The critic answers with a schema, so that its score is a number and not a matter of
reading. The offline model follows review_loop.script.yaml, the task is in review_loop.input.json.
"""

from typing import Literal, TypedDict

from langchain_core.messages import HumanMessage, SystemMessage
from langchain_openai import ChatOpenAI
from langgraph.graph import END, START, StateGraph
from pydantic import BaseModel, Field

ROUNDS_MAX = 4
GOOD_ENOUGH = 8


class Review(BaseModel):
    """A critic's verdict on a draft."""

    score: int = Field(description="0 is useless, 10 is perfect", ge=0, le=10)
    advice: str = Field(description="the one change that would help most")


class Draft(TypedDict):
    task: str
    text: str
    score: int
    advice: str
    rounds: int


model = ChatOpenAI(model="gpt-4o-mini")
critic = model.with_structured_output(Review)


def write(state: Draft):
    request = state["task"]
    if state.get("advice"):
        request += f"\n\nYour last draft:\n{state['text']}\n\nChange this: {state['advice']}"
    reply = model.invoke([SystemMessage("You write short, plain texts."), HumanMessage(request)])
    return {"text": reply.content, "rounds": state.get("rounds", 0) + 1}


def review(state: Draft):
    verdict = critic.invoke(f"Task: {state['task']}\n\nDraft: {state['text']}")
    return {"score": verdict.score, "advice": verdict.advice}


def content(state: Draft) -> Literal["write", "__end__"]:
    return END if state["score"] >= GOOD_ENOUGH or state["rounds"] >= ROUNDS_MAX else "write"


graph = StateGraph(Draft)
graph.add_sequence([write, review])
graph.add_edge(START, "write")
graph.add_conditional_edges("review", content)
app = graph.compile()
