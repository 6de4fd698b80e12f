from langchain.agents import create_agent
from langchain.agents.structured_output import ToolStrategy
from langchain_core.messages import SystemMessage
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.prebuilt import create_react_agent
from langgraph.prebuilt.chat_agent_executor import AgentState
from pydantic import BaseModel


def get_weather(city: str) -> str:
    """Get the weather of a city."""
    return f"It is always sunny in {city}!"


class Weather(BaseModel):
    degrees: int


class Asked(AgentState):
    user: str


def prompt(state: Asked, config):
    return [("system", config["configurable"]["tone"])] + state["messages"]


def trim(state):
    return {"llm_input_messages": state["messages"][-3:]}


def guard(state):
    return {}


def choose(state, runtime):
    return ChatOpenAI().bind_tools(tools)


model = ChatOpenAI(model="gpt-4o")
tools = [get_weather]

agent = create_react_agent(
    "openai:gpt-4o", [get_weather], prompt="Be short.", checkpointer=InMemorySaver()
)
second = create_react_agent(model, tools=tools, prompt=SystemMessage("Be kind."))
third = create_agent(model="openai:gpt-4o", tools=tools, system_prompt="Be brief.")
plain = create_react_agent(model, [])

structured = create_react_agent(
    model, tools, prompt=prompt, state_schema=Asked, response_format=Weather
)
hooked = create_react_agent(model, tools, pre_model_hook=trim, post_model_hook=guard)
chosen = create_react_agent(choose, tools, prompt=lambda state: state["messages"], name="chosen")
in_one = create_agent(model, tools, response_format=ToolStrategy(Weather))


def build():
    return create_react_agent(model, [get_weather], prompt="Made in a function.")
