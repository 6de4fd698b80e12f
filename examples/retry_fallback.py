"""Retry with fallback: a flaky source is tried again, a broken model is replaced by a second one.

    agentweaver run examples/retry_fallback.py

`quotes` fails twice and its RetryPolicy tries again; `translate` asks a model that is
down, and its error handler goes on with another. Nothing that had succeeded runs again.
The offline model (retry_fallback.script.yaml) plays both the broken and the good model;
the input is in retry_fallback.input.json.
"""

from typing import TypedDict

from agentweaver import llm
from langgraph.errors import NodeError
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command, RetryPolicy


class Job(TypedDict):
    topic: str
    quote: str
    translation: str
    log: str


QUOTES = {"patience": "Rome was not built in a day.", "haste": "More haste, less speed."}


def quotes(job: Job, runtime: Runtime):
    """Stands for a service that is up at every third call."""
    attempt = runtime.execution_info.node_attempt
    if attempt < 3:
        raise ConnectionError(f"the quote service did not answer (attempt {attempt})")
    return {"quote": QUOTES[job["topic"]], "log": f"quote found at attempt {attempt}"}


def translate(job: Job):
    reply = llm("openai/gpt-4o", f"Translate into German: {job['quote']}")
    return {"translation": reply.text, "log": job["log"] + "; translated by the first model"}


def use_second_model(job: Job, error: NodeError) -> Command:
    reply = llm("openai/gpt-4o-mini", f"Translate into German: {job['quote']}")
    note = f"{job['log']}; {error.node} failed, the second model translated"
    return Command(update={"translation": reply.text, "log": note})


graph = StateGraph(Job)
graph.add_node("quotes", quotes, retry_policy=RetryPolicy(initial_interval=0.05, max_attempts=3))
graph.add_node("translate", translate, error_handler=use_second_model)
graph.add_edge(START, "quotes")
graph.add_edge("quotes", "translate")
graph.add_edge("translate", END)
app = graph.compile()
