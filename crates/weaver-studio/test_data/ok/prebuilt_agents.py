from langchain.agents import create_agent
from langchain_core.messages import SystemMessage
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.prebuilt import create_react_agent


def get_weather(city: str) -> str:
    """Get the weather of a city."""
    return f"It is always sunny in {city}!"


model = ChatOpenAI(model="gpt-4o")
tools = [get_weather]

agent = create_react_agent(
    "openai:gpt-4o", [get_weather], prompt="Be short.", checkpointer=InMemorySaver()
)
second = create_react_agent(model, tools=tools, prompt=SystemMessage("Be kind."))
third = create_agent(model="openai:gpt-4o", tools=tools, system_prompt="Be brief.")
plain = create_react_agent(model, [])
