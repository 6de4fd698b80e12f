from langchain_openai import ChatOpenAI
from langgraph.prebuilt import create_react_agent


def search(query: str) -> str:
    """Search."""
    return query


def choose(state, runtime):
    return ChatOpenAI()


one = create_react_agent(choose, [search])
two = create_react_agent(ChatOpenAI(), [search], response_format={"a": 1})
three = create_react_agent(ChatOpenAI(), load_tools())
four = create_react_agent(ChatOpenAI(), [search], prompt=lambda state: [])


def make():
    return create_react_agent(ChatOpenAI(), [search])
