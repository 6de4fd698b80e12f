"""One subgraph, used three ways: as a node, inside a function, and with a memory of its own.

    agentweaver run examples/subgraph_reuse.py --thread words
    agentweaver run examples/subgraph_reuse.py --thread words --input '{"text": "more words to check"}'

Run it twice on one thread: `glossary` was compiled with checkpointer=True and remembers
the terms of the first run, the others start afresh. The offline model follows
subgraph_reuse.script.yaml, the text is in subgraph_reuse.input.json.
"""

import operator
from typing import Annotated, TypedDict

from agentweaver import llm
from langgraph.graph import END, START, StateGraph


class Terms(TypedDict):
    text: str
    terms: Annotated[list[str], operator.add]
    explained: str


def find(state: Terms):
    """Long words count as terms; a model would be a waste here."""
    words = [word.strip(".,;:!?").lower() for word in state["text"].split()]
    return {"terms": sorted({word for word in words if len(word) > 9 and word not in state["terms"]})}


def explain(state: Terms):
    reply = llm("openai/gpt-4o-mini", "Explain in one line each: " + ", ".join(state["terms"]))
    return {"explained": reply.text.strip()}


explainer = StateGraph(Terms)
explainer.add_sequence([find, explain])
explainer.add_edge(START, "find")

once = explainer.compile()
glossary = explainer.compile(checkpointer=True)


class Page(TypedDict):
    text: str
    title: str
    explained: str
    title_terms: list[str]
    all_terms: list[str]


def explain_title(page: Page):
    """Inside a function the subgraph has a schema of its own: we say what goes in and what comes out."""
    result = once.invoke({"text": page.get("title", "")})
    return {"title_terms": result["terms"]}


def remember(page: Page):
    result = glossary.invoke({"text": page["text"]})
    return {"all_terms": result["terms"]}


graph = StateGraph(Page)
graph.add_node("explain_text", once)
graph.add_node("explain_title", explain_title)
graph.add_node("remember", remember)
graph.add_edge(START, "explain_text")
graph.add_edge("explain_text", "explain_title")
graph.add_edge("explain_title", "remember")
graph.add_edge("remember", END)
app = graph.compile()
