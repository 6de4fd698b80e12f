"""The typed nodes here and the platform's own table of them are the same."""

import inspect
import re
from pathlib import Path

import pytest
from agentweaver import PlatformRequired, nodes

TABLE = Path(__file__).parents[3] / "crates/weaver-studio/src/typed_nodes.rs"
NODE = re.compile(r'NodeType \{\s*name: "(\w+)",.*?arguments: &\[(.*?)\],\s*\}', re.DOTALL)
ARGUMENT = re.compile(r'\b(may|must)\(\s*"(\w+)"')


def table() -> dict[str, dict[str, bool]]:
    """Whether it must be given, by argument, by node."""
    return {
        name: {argument: word == "must" for word, argument in ARGUMENT.findall(arguments)}
        for name, arguments in NODE.findall(TABLE.read_text())
    }


def test_the_table_is_read() -> None:
    assert {"llm", "http", "condition", "response"} <= table().keys()


@pytest.mark.parametrize(("name", "arguments"), table().items())
def test_a_typed_node_has_the_arguments_of_the_table(
    name: str, arguments: dict[str, bool]
) -> None:
    parameters = inspect.signature(getattr(nodes, name)).parameters
    if set(parameters) == {"settings"}:  # runs on the platform only
        with pytest.raises(PlatformRequired, match=name):
            getattr(nodes, name)()({})
        return
    assert list(parameters) == list(arguments)
    for argument, parameter in parameters.items():
        assert (parameter.default is parameter.empty) == arguments[argument], argument
