"""What can go wrong, as exceptions that say the way out."""

from __future__ import annotations


class AgentWeaverError(Exception):
    """Base of the exceptions of this package."""


class PlatformRequired(AgentWeaverError):
    """What was asked for exists on the platform only, not in plain Python."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} needs the AgentWeaver platform: run this file with `agentweaver run FILE`."
        )


class MissingLibrary(AgentWeaverError):
    """An optional library is not installed."""

    def __init__(self, what: str, package: str) -> None:
        super().__init__(f"{what} needs {package}: install it with `pip install {package}`.")


class ModelError(AgentWeaverError):
    """A model call failed."""


class SettingError(AgentWeaverError):
    """A typed node has a setting that does not fit."""


class ToolError(AgentWeaverError):
    """A tool of a typed node (HTTP, file, database, code) failed."""
