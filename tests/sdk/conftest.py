"""The real server, before providers on loopback, for the official clients."""

import contextlib
import json
import os
import subprocess
import tempfile
from pathlib import Path

import anthropic
import openai
import pytest

from upstream import Upstream

BINARY = os.environ.get("AGENTWEAVER_BINARY", Path(__file__).parents[2] / "target" / "debug" / "agentweaver")


@pytest.fixture(scope="session")
def upstream():
    return Upstream()


@contextlib.contextmanager
def serving(directory, environment, role="api"):
    """Address and token of a server that works in a directory."""
    command = [BINARY, "serve", "--listen", "127.0.0.1:0", "--role", role, "--data", directory]
    environment = {"PATH": os.environ["PATH"], **environment}
    with subprocess.Popen(command, env=environment, cwd=directory, stderr=subprocess.PIPE, text=True) as process:
        # Its first line comes when it listens.
        assert "http://" in process.stderr.readline()
        yield json.loads((Path(directory) / "server.json").read_text())
        process.kill()


@pytest.fixture(scope="session")
def server(upstream):
    """Address and token of the server."""
    environment = {
        "OPENAI_API_KEY": "sk-canary-openai",
        "OPENAI_BASE_URL": f"{upstream.url}/v1",
        "ANTHROPIC_API_KEY": "sk-canary-anthropic",
        "ANTHROPIC_BASE_URL": upstream.url,
        "GEMINI_API_KEY": "canary-gemini",
        "GEMINI_BASE_URL": f"{upstream.url}/v1beta",
    }
    with tempfile.TemporaryDirectory() as directory, serving(directory, environment) as server:
        yield server


@pytest.fixture
def gpt(server):
    return openai.OpenAI(base_url=f"{server['address']}/v1", api_key=server["token"], max_retries=0)


@pytest.fixture
def claude(server):
    return anthropic.Anthropic(base_url=server["address"], api_key=server["token"], max_retries=0)
