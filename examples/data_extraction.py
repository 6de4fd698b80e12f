"""Data extraction with a schema: an invoice in prose becomes checked data; sums that do not fit go back once.

    agentweaver run examples/data_extraction.py

The model must fill the schema, plain Python checks the arithmetic, typed nodes keep the
result or say what is wrong. The offline model follows data_extraction.script.yaml (its
first try forgets an item), the invoice is in data_extraction.input.json.
"""

from typing import TypedDict

from agentweaver import nodes
from langchain_openai import ChatOpenAI
from langgraph.graph import END, START, StateGraph
from pydantic import BaseModel, Field


class Item(BaseModel):
    name: str
    quantity: int = Field(ge=1)
    price: float = Field(description="price of one, in euros", ge=0)


class Invoice(BaseModel):
    """An invoice as it is written; nothing computed."""

    number: str = Field(description="as printed, with letters and dashes")
    customer: str
    items: list[Item]
    total: float = Field(description="the total as printed, in euros")


class Job(TypedDict):
    text: str
    invoice: dict
    problem: str
    tries: int
    reply: str


extractor = ChatOpenAI(model="gpt-4o-mini", temperature=0).with_structured_output(Invoice)


def extract(job: Job):
    request = f"Extract this invoice:\n\n{job['text']}"
    if job.get("problem"):
        request += f"\n\nYour last answer was wrong: {job['problem']} Look again."
    invoice = extractor.invoke(request)
    return {"invoice": invoice.model_dump(), "tries": job.get("tries", 0) + 1}


def check(job: Job):
    invoice = job["invoice"]
    total = sum(item["quantity"] * item["price"] for item in invoice["items"])
    if abs(total - invoice["total"]) > 0.005:
        return {"problem": f"The items add up to {total:.2f}, the invoice says {invoice['total']:.2f}."}
    return {"problem": ""}


graph = StateGraph(Job)
graph.add_node("extract", extract)
graph.add_node("check", check)
graph.add_node(
    "verdict",
    nodes.condition(
        rules=[
            {"if": "problem == ''", "goto": "keep"},
            {"if": "tries < 2", "goto": "extract"},
        ],
        default="give_up",
    ),
)
graph.add_node(
    "keep",
    nodes.store(op="put", namespace=["invoices", "{{ invoice.customer }}"], key="{{ invoice.number }}", value="{{ invoice }}"),
)
graph.add_node(
    "done",
    nodes.response(text="Kept {{ invoice.number }}: {{ invoice['items'] | length }} items, {{ invoice.total }} euros.", into="reply"),
)
graph.add_node("give_up", nodes.response(text="Not kept. {{ problem }}", into="reply"))
graph.add_edge(START, "extract")
graph.add_edge("extract", "check")
graph.add_edge("check", "verdict")
graph.add_edge("keep", "done")
graph.add_edge("done", END)
graph.add_edge("give_up", END)
app = graph.compile()
