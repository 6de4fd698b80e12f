"""A dataclass as state: attributes, defaults, instances as input and as a node's return."""

from dataclasses import dataclass, field
from operator import add
from typing import Annotated

from langgraph.graph import START, StateGraph


@dataclass
class Order:
    item: str
    amount: int = 1
    notes: Annotated[list, add] = field(default_factory=list)
    paid: bool = False


def price(order: Order):
    return {"notes": [f"{order.amount} x {order.item}, {len(order.notes)} notes"]}


def pay(order: Order):
    return Order(item=order.item, amount=order.amount + 1, notes=["paid"], paid=True)


def route(order: Order):
    return "pay" if not order.paid else "__end__"


g = StateGraph(Order)
g.add_node(price)
g.add_node(pay)
g.add_edge(START, "price")
g.add_conditional_edges("price", route)
app = g.compile()
