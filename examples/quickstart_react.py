"""The LangGraph quick start, unchanged: a chat model that calls two Python tools until it can answer.

    agentweaver run examples/quickstart_react.py

Offline, the answers come from quickstart_react.script.yaml and the question from
quickstart_react.input.json. With a key, ask a real model your own question:

    agentweaver run examples/quickstart_react.py --model openai/gpt-4o-mini \
        --message "Which is warmer, Lima or Quito, and by how many degrees?"
"""

from langchain_core.messages import SystemMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition

TEMPERATURES = {"lima": 19, "quito": 14, "oslo": -3, "cairo": 28}


@tool
def temperature(city: str) -> str:
    """Today's temperature of a city in degrees Celsius."""
    degrees = TEMPERATURES.get(city.lower())
    if degrees is None:
        return f"no station in {city}; known are {', '.join(sorted(TEMPERATURES))}"
    return f"{degrees} °C"


@tool
def subtract(a: float, b: float) -> float:
    """Subtracts b from a."""
    return a - b


tools = [temperature, subtract]
model = ChatOpenAI(model="gpt-4o-mini", temperature=0).bind_tools(tools)

INSTRUCTIONS = SystemMessage("Use the tools for every fact and every calculation. Answer in one sentence.")


def assistant(state: MessagesState):
    return {"messages": [model.invoke([INSTRUCTIONS] + state["messages"])]}


builder = StateGraph(MessagesState)
builder.add_node("assistant", assistant)
builder.add_node("tools", ToolNode(tools))
builder.add_edge(START, "assistant")
builder.add_conditional_edges("assistant", tools_condition)
builder.add_edge("tools", "assistant")
app = builder.compile()
