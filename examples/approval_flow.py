"""An approval flow: refunds above a limit wait for a person, who may say yes, no, or another amount.

    agentweaver run examples/approval_flow.py --thread order-17
    agentweaver run examples/approval_flow.py --thread order-17 --resume '"yes"'
    agentweaver run examples/approval_flow.py --thread order-17 --resume '{"amount": 50}'

On a terminal the question is asked at once. While it waits, the run is a few kilobytes on
disk: stop the process, come back next week. The offline model follows
approval_flow.script.yaml, the order is in approval_flow.input.json.
"""

from typing import Literal, TypedDict

from agentweaver import llm
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt

AMOUNT_WITHOUT_APPROVAL = 30.0


class Refund(TypedDict):
    order: str
    complaint: str
    amount: float
    assessment: str
    decision: str
    receipt: str


def assess(state: Refund) -> Command[Literal["ask", "pay"]]:
    reply = llm("openai/gpt-4o-mini", f"Is this complaint plausible? One sentence.\n\n{state['complaint']}")
    small = state["amount"] <= AMOUNT_WITHOUT_APPROVAL
    return Command(
        update={"assessment": reply.text, "decision": "small amount" if small else ""},
        goto="pay" if small else "ask",
    )


def ask(state: Refund) -> Command[Literal["pay", "refuse"]]:
    answer = interrupt(
        {
            "question": f"Refund {state['amount']:.2f} for order {state['order']}?",
            "assessment": state["assessment"],
            "answers": ["yes", "no", {"amount": "another amount"}],
        }
    )
    if isinstance(answer, dict) and "amount" in answer:
        return Command(update={"amount": float(answer["amount"]), "decision": "another amount"}, goto="pay")
    if str(answer).strip().lower() in ("yes", "y"):
        return Command(update={"decision": "approved"}, goto="pay")
    return Command(update={"decision": f"refused: {answer}"}, goto="refuse")


def pay(state: Refund):
    return {"receipt": f"paid {state['amount']:.2f} for {state['order']} ({state['decision']})"}


def refuse(state: Refund):
    return {"receipt": f"nothing paid for {state['order']} ({state['decision']})"}


graph = StateGraph(Refund)
graph.add_node(assess)
graph.add_node(ask)
graph.add_node(pay)
graph.add_node(refuse)
graph.add_edge(START, "assess")
graph.add_edge("pay", END)
graph.add_edge("refuse", END)
app = graph.compile()
