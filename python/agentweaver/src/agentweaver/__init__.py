"""The names that AgentWeaver graph files import, for plain CPython with langgraph.

On the platform (``agentweaver run FILE``) these names are answered by the host:
typed nodes run natively, model calls go through its gateway, and everything goes
into a log. Here they are ordinary functions with the same arguments, so that the
same file runs with the ``langgraph`` package too. What needs the platform says so
with `PlatformRequired` when it is used.
"""

from . import nodes, tools
from ._errors import (
    AgentWeaverError,
    MissingLibrary,
    ModelError,
    PlatformRequired,
    SettingError,
    ToolError,
)
from ._models import Reply, llm

__all__ = [
    "AgentWeaverError",
    "MissingLibrary",
    "ModelError",
    "PlatformRequired",
    "Reply",
    "SettingError",
    "ToolError",
    "llm",
    "nodes",
    "tools",
]
