"""A loop over a list with typed nodes: each review is labelled, then a report is written.

    agentweaver run examples/batch_labels.py

The loop, the model calls and the report are typed nodes; only the tally is Python, in a
`code` node. The offline model follows batch_labels.script.yaml, the reviews are in
batch_labels.input.json.
"""

import operator
from typing import Annotated, TypedDict

from agentweaver import nodes
from langgraph.graph import END, START, StateGraph


class Batch(TypedDict):
    reviews: list[str]
    review: str
    label: str
    labels: Annotated[list[str], operator.add]
    tally: dict
    report: str


graph = StateGraph(Batch)
graph.add_node("each_review", nodes.loop(body="label", exit="tally", items="reviews", item_key="review", limit=50))
graph.add_node(
    "label",
    nodes.llm(
        model="openai/gpt-4o-mini",
        system="Reply with one word: good, bad or mixed.",
        prompt="{{ review }}",
        max_tokens=5,
        into="label",
    ),
)
graph.add_node("collect", nodes.code(code="result = {'labels': [label.strip().lower()]}", inputs={"label": "label"}))
graph.add_node(
    "tally",
    nodes.code(
        code="result = {word: labels.count(word) for word in ['good', 'bad', 'mixed']}",
        inputs={"labels": "labels"},
        into="tally",
    ),
)
graph.add_node(
    "report",
    nodes.response(
        text="{{ labels | length }} reviews: {% for word, count in tally | items %}{{ count }} {{ word }}{{ ', ' if not loop.last }}{% endfor %}.",
        into="report",
    ),
)
graph.add_edge(START, "each_review")
graph.add_edge("label", "collect")
graph.add_edge("collect", "each_review")
graph.add_edge("tally", "report")
graph.add_edge("report", END)
app = graph.compile()
