"""What a process and all below it use; ports."""

import os
import pathlib
import socket
import sys
import time

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def family(pid):
    """The process and all below it."""
    found, below = [pid], {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        fields = read(stat).rsplit(")", 1)[-1].split()
        if fields:
            below.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    for one in found:
        found.extend(below.get(one, []))
    return found


def cpu_seconds(pid):
    """User and system time, that of children that have ended included."""
    total = 0
    for one in family(pid):
        fields = read(f"/proc/{one}/stat").rsplit(")", 1)[-1].split()
        total += sum(map(int, fields[11:15])) if fields else 0
    return total / TICK


def memory_mb(pid):
    """What is resident; pages that are shared count in each."""
    pages = (read(f"/proc/{one}/statm").split() for one in family(pid))
    return sum(int(fields[1]) for fields in pages if fields) * PAGE / 1e6


def read(path):
    """The text of a file; empty if it has gone."""
    try:
        return pathlib.Path(path).read_text()
    except OSError:
        return ""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_text(path, seconds=60):
    """The text of a file, once there is some."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if text := read(path):
            return text
        time.sleep(0.002)
    sys.exit(f"there is nothing in {path}")


def wait_for(port, seconds=300):
    """Returns once somebody takes connections there."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.002)
    sys.exit(f"nothing answers at port {port}")
