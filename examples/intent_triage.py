"""Intent triage with typed nodes only: a classifier routes each message to the answer that fits it.

    agentweaver run examples/intent_triage.py
    agentweaver run examples/intent_triage.py --input '{"message": "Where is my parcel 4711?"}'

Every node is a form on the canvas and runs natively; there is no Python to execute.
The offline model follows intent_triage.script.yaml, the message is in intent_triage.input.json.
"""

from typing import TypedDict

from agentweaver import nodes
from langgraph.graph import END, START, StateGraph


class Ticket(TypedDict):
    message: str
    intent: str
    parcel: str
    reply: str


MODEL = "openai/gpt-4o-mini"

graph = StateGraph(Ticket)
graph.add_node(
    "triage",
    nodes.intent(
        model=MODEL,
        text="{{ message }}",
        intents={
            "refund": {"description": "wants money back", "goto": "refund"},
            "delivery": {"description": "asks where a parcel is", "goto": "parcel_number"},
            "praise": {"description": "is happy and wants nothing", "goto": "thank"},
        },
        fallback="ask_a_person",
        into="intent",
    ),
)
graph.add_node(
    "parcel_number",
    nodes.llm(
        model=MODEL,
        system="Reply with the parcel number in the text and nothing else, or with: none",
        prompt="{{ message }}",
        into="parcel",
    ),
)
graph.add_node(
    "has_number",
    nodes.condition(rules=[{"if": "parcel | trim != 'none'", "goto": "track"}], default="ask_a_person"),
)
graph.add_node("track", nodes.response(text="Parcel {{ parcel | trim }} is on its way.", into="reply"))
graph.add_node("refund", nodes.response(text="You get your money back within three days.", into="reply"))
graph.add_node("thank", nodes.response(text="Thank you, we will tell the team!", into="reply"))
graph.add_node(
    "ask_a_person",
    nodes.response(text="A colleague will answer you within the hour.", into="reply"),
)
graph.add_edge(START, "triage")
graph.add_edge("parcel_number", "has_number")
for leaf in ["track", "refund", "thank", "ask_a_person"]:
    graph.add_edge(leaf, END)
app = graph.compile()
