from langgraph.func import entrypoint, task
from langgraph.checkpoint.memory import InMemorySaver


@task
def double(x: int) -> int:
    return 2 * x


@entrypoint(checkpointer=InMemorySaver())
def workflow(x: int) -> int:
    return double(x).result() + 1
