"""Long-term memory: what one conversation learns about a person, the next one knows.

    agentweaver run examples/long_term_memory.py --thread monday
    agentweaver run examples/long_term_memory.py --thread tuesday --message "What should I cook?"

Threads keep a conversation, the store keeps what outlives it. The person's name comes
from the context of the run. The offline model follows long_term_memory.script.yaml, the
first message is in long_term_memory.input.json.
"""

from dataclasses import dataclass

from langchain_core.messages import SystemMessage
from langchain_openai import ChatOpenAI
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.runtime import Runtime
from pydantic import BaseModel, Field


@dataclass
class Person:
    name: str = "guest"


class Facts(BaseModel):
    """Lasting facts about the person in the last message; none is the usual case."""

    facts: list[str] = Field(default_factory=list)


model = ChatOpenAI(model="gpt-4o-mini")
listener = model.with_structured_output(Facts)


def drawer(runtime: Runtime[Person]) -> tuple:
    name = runtime.context.name if runtime.context else "guest"
    return ("facts", name)


def learn(state: MessagesState, runtime: Runtime[Person]):
    text = state["messages"][-1].content
    for fact in listener.invoke(f"What lasting facts does this say about its writer?\n\n{text}").facts:
        runtime.store.put(drawer(runtime), fact.lower(), {"fact": fact})


def answer(state: MessagesState, runtime: Runtime[Person]):
    known = sorted(item.value["fact"] for item in runtime.store.search(drawer(runtime)))
    system = SystemMessage("You are a friendly cook. You know of your guest: " + ("; ".join(known) or "nothing"))
    return {"messages": [model.invoke([system] + state["messages"])]}


graph = StateGraph(MessagesState, context_schema=Person)
graph.add_node("learn", learn)
graph.add_node("answer", answer)
graph.add_edge(START, "learn")
graph.add_edge("learn", "answer")
graph.add_edge("answer", END)
app = graph.compile()
