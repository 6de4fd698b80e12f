"""A prebuilt agent with its own state, prompt, hooks and a shape for its answer."""

from langchain_core.messages import SystemMessage
from langchain_openai import ChatOpenAI
from langgraph.prebuilt import create_react_agent
from langgraph.prebuilt.chat_agent_executor import AgentState
from pydantic import BaseModel, Field


class Forecast(BaseModel):
    summary: str
    degrees: int
    advice: list[str] = Field(min_length=2)


class Asked(AgentState):
    reader: str


def forecast(city: str) -> str:
    """Gives the forecast for a city."""
    return f"{city} will be mild, 17 degrees."


def opening(state: Asked, config):
    thread = config["configurable"]["thread_id"]
    return [SystemMessage(f"Answer {state['reader']} on {thread}.")] + state["messages"]


def shorten(state):
    return {"llm_input_messages": state["messages"][-6:]}


def count(state):
    print("messages:", len(state["messages"]))
    return {}


app = create_react_agent(
    ChatOpenAI(model="gpt-4o"),
    [forecast],
    prompt=opening,
    state_schema=Asked,
    response_format=Forecast,
    pre_model_hook=shorten,
    post_model_hook=count,
)
