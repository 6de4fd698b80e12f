"""Celery with a Redis of its own, which syncs its log each second: less durable than
the others."""

import os
import shutil
import subprocess
import sys
import tempfile
import time

import celery

from common import IDEAL, SLOTS, TASK_SECONDS, TASKS, arguments, median_ms, note

PORT = 56379
app = celery.Celery("celery_redis", broker=f"redis://127.0.0.1:{PORT}/0", backend=f"redis://127.0.0.1:{PORT}/1")
app.conf.update(worker_prefetch_multiplier=1, task_acks_late=True)


@app.task
def trivial():
    return 1


@app.task
def slow():
    time.sleep(TASK_SECONDS)


def main():
    section, seconds = arguments()
    with tempfile.TemporaryDirectory() as data:
        redis = shutil.which("redis-server") or sys.exit("there is no redis-server")
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        server = subprocess.Popen([redis, "--port", str(PORT), "--dir", data, "--appendonly", "yes", "--save", ""], **quiet)
        threads = ["-m", "celery", "-A", "celery_redis", "worker", "-P", "threads", "-c", str(SLOTS), "--without-gossip", "--without-mingle", "--without-heartbeat"]
        worker = subprocess.Popen([sys.executable, *threads], cwd=os.path.dirname(__file__), **quiet)
        try:
            trivial.delay().get(timeout=30)
            measure(section, seconds)
        finally:
            for process in (worker, server):
                process.kill()
                process.wait()


def measure(section, seconds):
    if section == "steps":
        count, began = 0, time.monotonic()
        while time.monotonic() - began < seconds:
            for result in [trivial.delay() for _ in range(100)]:
                result.get()
            count += 100
        note("celery with redis, 100 tasks in flight", count / (time.monotonic() - began), "steps/s")
    elif section == "trivial":
        note("celery, trivial task, p50", median_ms(100, lambda: trivial.delay().get()), "ms")
    else:
        began = time.monotonic()
        for result in [slow.delay() for _ in range(TASKS)]:
            result.get()
        taken = time.monotonic() - began
        note(f"celery, {TASKS} tasks of 100 ms on {SLOTS} slots, of ideal", taken / IDEAL, "x")


if __name__ == "__main__":
    main()
