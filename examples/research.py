"""Research over the project's own documents: plan, search in parallel, write with sources, check the sources.

    agentweaver run examples/research.py

The searches are real: `document_search` ranks passages of the Markdown files below
the current directory. Only the model is offline (research.script.yaml); it plans the
queries and quotes what was found. The question is in research.input.json.
"""

import operator
import re
from typing import Annotated, TypedDict

from agentweaver import nodes, tools
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send
from pydantic import BaseModel, Field

PASSAGES_PER_QUERY = 3
DRAFTS_MAX = 3


class Plan(BaseModel):
    """What to look for."""

    queries: list[str] = Field(description="two to four short search queries", min_length=1, max_length=4)


class Passage(TypedDict):
    path: str
    line: int
    text: str
    score: float


def keep_best(known: list[Passage], found: list[Passage]) -> list[Passage]:
    """Each place once, best first: parallel searches often meet in the same passage."""
    best = {}
    for passage in known + found:
        place = (passage["path"], passage["line"])
        if place not in best or passage["score"] > best[place]["score"]:
            best[place] = passage
    return sorted(best.values(), key=lambda passage: (-passage["score"], passage["path"], passage["line"]))


class Research(TypedDict):
    question: str
    plan: Plan
    passages: Annotated[list[Passage], keep_best]
    sources: str
    answer: str
    drafts: Annotated[int, operator.add]
    complaint: str


class Answer(TypedDict):
    """What a run gives back; the rest of the state stays in the log."""

    answer: str


class Query(TypedDict):
    query: str
    question: str


def spread(state: Research):
    """One search task for each query of the plan."""
    question = state["question"]
    return [Send("search", {"query": query, "question": question}) for query in state["plan"].queries]


def search(task: Query):
    found = tools.document_search(query=task["query"], limit=2 * PASSAGES_PER_QUERY)
    # A passage that repeats the question word for word asks it too, or shows how to.
    answers = [passage for passage in found["passages"] if task["question"] not in passage["text"]]
    kept = answers[:PASSAGES_PER_QUERY]
    return {"passages": [{key: passage[key] for key in ("path", "line", "text", "score")} for passage in kept]}


def number_sources(state: Research):
    lines = []
    for number, passage in enumerate(state["passages"], start=1):
        text = " ".join(passage["text"].split())
        lines.append(f"[{number}] {passage['path']}:{passage['line']} {text[:300]}")
    return {"sources": "\n".join(lines) or "(nothing was found)"}


def check_sources(state: Research):
    """The one thing a model must not decide about itself: does each source exist?"""
    cited = {int(number) for number in re.findall(r"\[(\d+)\]", state["answer"])}
    unknown = sorted(number for number in cited if number > len(state["passages"]))
    complaint = ""
    if unknown:
        complaint = f"There are no sources {unknown}."
    elif state["passages"] and not cited:
        complaint = "The answer names no source."
    return {"complaint": complaint, "drafts": 1}


def good_enough(state: Research):
    return END if not state["complaint"] or state["drafts"] >= DRAFTS_MAX else "write"


graph = StateGraph(Research, output_schema=Answer)
graph.add_node(
    "plan",
    nodes.llm(
        model="openai/gpt-4o-mini",
        system="You plan searches in a software project's documents.",
        prompt="Which queries would find what is needed to answer: {{ question }}",
        output_schema=Plan,
        into="plan",
    ),
)
graph.add_node("search", search)
graph.add_node("number_sources", number_sources)
graph.add_node(
    "write",
    nodes.llm(
        model="openai/gpt-4o-mini",
        system="You answer from the numbered sources only and cite them like [2].",
        prompt="{{ question }}\n\n{{ sources }}{% if complaint %}\n\nYour last draft was refused: {{ complaint }}{% endif %}",
        into="answer",
    ),
)
graph.add_node("check_sources", check_sources)
graph.add_edge(START, "plan")
graph.add_conditional_edges("plan", spread, ["search"])
graph.add_edge("search", "number_sources")
graph.add_edge("number_sources", "write")
graph.add_edge("write", "check_sources")
graph.add_conditional_edges("check_sources", good_enough, ["write", END])
app = graph.compile()
