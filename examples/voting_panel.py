"""A voting panel: three judges with different eyes vote at once; a majority decides, a tie asks a person.

    agentweaver run examples/voting_panel.py

One node serves all judges: each Send carries its own persona. Votes are counted in the
order of the panel, so the record reads the same every time. The offline model follows
voting_panel.script.yaml, the proposal is in voting_panel.input.json.
"""

import operator
from typing import Annotated, Literal, TypedDict

from langchain_openai import ChatOpenAI
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send, interrupt
from pydantic import BaseModel


class Vote(BaseModel):
    """One judge's vote."""

    choice: Literal["accept", "reject", "abstain"]
    reason: str


class Panel(TypedDict):
    proposal: str
    votes: Annotated[list[dict], operator.add]
    verdict: str


class Seat(TypedDict):
    judge: str
    view: str
    proposal: str


JUDGES = {
    "security": "You only care whether it can be attacked.",
    "users": "You only care whether people understand it.",
    "upkeep": "You only care who will maintain it in five years.",
}

judge_model = ChatOpenAI(model="gpt-4o-mini", temperature=0).with_structured_output(Vote)


def call_judges(state: Panel):
    return [
        Send("judge", {"judge": name, "view": view, "proposal": state["proposal"]})
        for name, view in JUDGES.items()
    ]


def judge(seat: Seat):
    vote = judge_model.invoke([("system", seat["view"]), ("user", seat["proposal"])])
    return {"votes": [{"judge": seat["judge"], "choice": vote.choice, "reason": vote.reason}]}


def count(state: Panel):
    choices = [vote["choice"] for vote in state["votes"]]
    accepted, rejected = choices.count("accept"), choices.count("reject")
    if accepted == rejected:
        verdict = interrupt({"question": "The panel is split. accept or reject?", "votes": state["votes"]})
    else:
        verdict = "accept" if accepted > rejected else "reject"
    return {"verdict": verdict}


graph = StateGraph(Panel)
graph.add_node("judge", judge)
graph.add_node("count", count)
graph.add_conditional_edges(START, call_judges, ["judge"])
graph.add_edge("judge", "count")
graph.add_edge("count", END)
app = graph.compile()
