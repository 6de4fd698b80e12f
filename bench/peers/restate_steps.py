"""Restate's server with four partitions and a service in its JavaScript SDK. Both are
looked for in the node_modules folder that BENCH_NODE_MODULES names."""

import concurrent.futures
import http.client
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time

from common import IDEAL, SLOTS, TASKS, arguments, for_seconds, median_ms, note

INGRESS, ADMIN, NODE, SERVICE = 58080, 59070, 55122, 59080
local = threading.local()


def ask(port, path, body, timeout=30):
    if not hasattr(local, "connections"):
        local.connections = {}
    connection = local.connections.setdefault(port, http.client.HTTPConnection("127.0.0.1", port, timeout=timeout))
    try:
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = response.read()
    except OSError:
        local.connections.pop(port)
        raise
    if response.status >= 300:
        raise OSError(answer.decode())
    return answer


def patiently(call):
    for _ in range(200):
        try:
            return call()
        except OSError as error:
            last = error
            time.sleep(0.1)
    sys.exit(f"restate does not answer: {last}")


def main():
    section, seconds = arguments()
    modules = pathlib.Path(os.environ.get("BENCH_NODE_MODULES", "node_modules"))
    server = modules / ".bin" / "restate-server"
    if not server.exists():
        sys.exit("there is no restate-server")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with tempfile.TemporaryDirectory() as data:
        settings = {
            "RESTATE_BASE_DIR": data,
            "RESTATE_INGRESS__BIND_ADDRESS": f"127.0.0.1:{INGRESS}",
            "RESTATE_ADMIN__BIND_ADDRESS": f"127.0.0.1:{ADMIN}",
            "RESTATE_BIND_ADDRESS": f"127.0.0.1:{NODE}",
            "RESTATE_DEFAULT_NUM_PARTITIONS": "4",
        }
        processes = [
            # A session of its own: what is in `.bin` starts the server as another process.
            subprocess.Popen([str(server)], env={**os.environ, **settings}, start_new_session=True, **quiet),
            subprocess.Popen(
                ["node", str(pathlib.Path(__file__).parent / "restate_service.cjs"), str(SERVICE)],
                env={**os.environ, "NODE_PATH": str(modules)},
                start_new_session=True,
                **quiet,
            ),
        ]
        try:
            patiently(lambda: ask(ADMIN, "/deployments", {"uri": f"http://127.0.0.1:{SERVICE}"}))
            patiently(lambda: steps(5))
            measure(section, seconds)
        finally:
            for process in processes:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def steps(count):
    ask(INGRESS, "/bench/steps", {"count": count})


def measure(section, seconds):
    if section == "steps":
        note("restate, 1 in flight", for_seconds(seconds, lambda: steps(20)) * 20, "steps/s")
        with concurrent.futures.ThreadPoolExecutor(32) as pool:
            rates = pool.map(lambda _: for_seconds(seconds, lambda: steps(20)) * 20, range(32))
            note("restate, 32 in flight", sum(rates), "steps/s")
    elif section == "trivial":
        note("restate, trivial call, p50", median_ms(100, lambda: steps(1)), "ms")
    else:
        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(SLOTS) as pool:
            list(pool.map(lambda _: ask(INGRESS, "/bench/slow", {}), range(TASKS)))
        taken = time.monotonic() - began
        note(f"restate, {TASKS} tasks of 100 ms on {SLOTS} slots, of ideal", taken / IDEAL, "x")


if __name__ == "__main__":
    main()
