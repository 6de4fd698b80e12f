"""The server answers as its OpenAPI document says, whatever it is asked."""

import os
import subprocess
import sys

# No server error, and nothing that the document does not announce.
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
]

# A stream without an end, and no plain HTTP.
NOT_ASKED = ["/workflows/events", "/ws/execution/{id}"]

# Bounds of a run: requests of an operation in each phase, and seconds in all.
EXAMPLES = os.environ.get("AGENTWEAVER_SCHEMA_EXAMPLES", "15")
SECONDS = "60"


def test_every_operation_answers_as_documented(server, tmp_path):
    """Lets schemathesis ask every operation of the document, the same in every run."""
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{server['address']}/api/v1/openapi.json"]
    command += ["--header", f"Authorization: Bearer {server['token']}", "--checks", ",".join(CHECKS)]
    command += ["--phases", "examples,coverage,fuzzing", "--max-examples", EXAMPLES, "--seed", "5"]
    command += ["--generation-deterministic", "--no-shrink"]
    command += ["--request-timeout", "10", "--max-time", SECONDS, "--no-color"]
    for path in NOT_ASKED:
        command += ["--exclude-path", path]
    asked = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert asked.returncode == 0, asked.stdout + asked.stderr
