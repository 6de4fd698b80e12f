"""Map-reduce with Send: a long text is cut into sections, each is summarised at once, then all together.

    agentweaver run examples/map_reduce_summary.py

Results are merged in the order of the sections, whichever summary comes first.
The offline model (map_reduce_summary.script.yaml) takes first sentences; the text is in
map_reduce_summary.input.json.
"""

import operator
from typing import Annotated, TypedDict

from agentweaver import llm
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send

MODEL = "openai/gpt-4o-mini"
SECTION_CHARACTERS = 600


class Text(TypedDict):
    text: str
    sections: list[str]
    summaries: Annotated[list[str], operator.add]
    summary: str


class Section(TypedDict):
    number: int
    section: str


def cut(state: Text):
    """Whole paragraphs, as many as fit in a section."""
    sections = [""]
    for paragraph in state["text"].split("\n\n"):
        if sections[-1] and len(sections[-1]) + len(paragraph) > SECTION_CHARACTERS:
            sections.append("")
        sections[-1] = (sections[-1] + "\n\n" + paragraph).strip()
    return {"sections": sections}


def each_section(state: Text):
    return [Send("summarise", {"number": number, "section": text}) for number, text in enumerate(state["sections"], 1)]


def summarise(part: Section):
    reply = llm(MODEL, f"Summarise in one sentence:\n\n{part['section']}")
    return {"summaries": [f"{part['number']}. {reply.text.strip()}"]}


def join(state: Text):
    reply = llm(MODEL, "Make one paragraph of these summaries:\n\n" + "\n".join(state["summaries"]))
    return {"summary": reply.text.strip()}


graph = StateGraph(Text)
graph.add_node(cut)
graph.add_node(summarise)
graph.add_node(join)
graph.add_edge(START, "cut")
graph.add_conditional_edges("cut", each_section, ["summarise"])
graph.add_edge("summarise", "join")
graph.add_edge("join", END)
app = graph.compile()
