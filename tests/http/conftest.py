"""The real server on an empty data directory, with nobody's keys."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

import pytest

BINARY = os.environ.get("AGENTWEAVER_BINARY", Path(__file__).parents[2] / "target" / "debug" / "agentweaver")


@pytest.fixture
def server():
    """Address and token of the server."""
    with tempfile.TemporaryDirectory() as directory:
        command = [BINARY, "serve", "--listen", "127.0.0.1:0", "--data", directory]
        environment = {"PATH": os.environ["PATH"]}
        with subprocess.Popen(command, env=environment, cwd=directory, stderr=subprocess.PIPE, text=True) as process:
            # Its first line comes when it listens.
            assert "http://" in process.stderr.readline()
            yield json.loads((Path(directory) / "server.json").read_text())
            process.kill()
