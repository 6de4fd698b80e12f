from langchain.agents import create_agent
from langchain_openai import ChatOpenAI
from langgraph.prebuilt import create_react_agent


def search(query: str) -> str:
    """Search."""
    return query


def prompt(state, tone):
    return [("system", tone)] + state["messages"]


one = create_react_agent(load_model(), [search])
two = create_react_agent(ChatOpenAI(), [search], response_format=load_schema())
three = create_react_agent(ChatOpenAI(), load_tools())
four = create_react_agent(ChatOpenAI(), [search], prompt=prompt)
five = create_agent(ChatOpenAI(), [search], middleware=[Summary()])


def make(model):
    return create_react_agent(model, [search])
