from typing_extensions import Literal, TypedDict
from pydantic import BaseModel, Field
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, SystemMessage
from langgraph.graph import StateGraph, START, END

llm = ChatAnthropic(model="claude-3-5-sonnet-latest")


class Route(BaseModel):
    """Where to go."""

    step: Literal["poem", "story", "joke"] = Field(
        None, description="The next step in the routing process"
    )
    score: float = Field(ge=0, le=1)
    tags: list[str] = []


router = llm.with_structured_output(Route)


class State(TypedDict):
    input: str
    decision: str
    output: str


def llm_call_1(state: State):
    """Write a story"""
    result = llm.invoke(state["input"])
    return {"output": result.content}


def llm_call_2(state: State):
    """Write a joke"""
    result = llm.invoke(state["input"])
    return {"output": result.content}


def llm_call_router(state: State):
    """Route the input to the appropriate node"""
    decision = router.invoke([SystemMessage(content="Route."), HumanMessage(content=state["input"])])
    return {"decision": decision.step}


def route_decision(state: State):
    if state["decision"] == "story":
        return "llm_call_1"
    elif state["decision"] == "joke":
        return "llm_call_2"
    return END


router_builder = StateGraph(State)
router_builder.add_node("llm_call_1", llm_call_1)
router_builder.add_node("llm_call_2", llm_call_2)
router_builder.add_node("llm_call_router", llm_call_router)
router_builder.add_edge(START, "llm_call_router")
router_builder.add_conditional_edges("llm_call_router", route_decision)
router_builder.add_edge("llm_call_1", END)
router_builder.add_edge("llm_call_2", END)
router_workflow = router_builder.compile()

state = router_workflow.invoke({"input": "Write me a joke about cats"})
print(state["output"])
