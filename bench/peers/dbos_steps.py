"""DBOS: a workflow of small steps on PostgreSQL."""

import concurrent.futures
import os
import time

from dbos import DBOS

from common import IDEAL, SLOTS, TASK_SECONDS, TASKS, arguments, for_seconds, median_ms, note

DBOS(config={"name": "bench", "system_database_url": os.environ["BENCH_DATABASE"], "log_level": "ERROR"})


@DBOS.step()
def step():
    return 1


@DBOS.workflow()
def steps(count):
    for _ in range(count):
        step()


@DBOS.step()
def slow():
    time.sleep(TASK_SECONDS)


@DBOS.workflow()
def task():
    slow()


def main():
    section, seconds = arguments()
    DBOS.launch()
    DBOS.register_queue("tasks", worker_concurrency=SLOTS, polling_interval_sec=0.05)
    steps(5)
    if section == "steps":
        note("dbos, 1 in flight", for_seconds(seconds, lambda: steps(20)) * 20, "steps/s")
        with concurrent.futures.ThreadPoolExecutor(32) as pool:
            rates = pool.map(lambda _: for_seconds(seconds, lambda: steps(20)) * 20, range(32))
            note("dbos, 32 in flight", sum(rates), "steps/s")
    elif section == "trivial":
        note("dbos, trivial workflow, p50", median_ms(100, lambda: steps(1)), "ms")
    else:
        began = time.monotonic()
        queue = DBOS.retrieve_queue("tasks")
        handles = [queue.enqueue(task) for _ in range(TASKS)]
        for handle in handles:
            handle.get_result()
        taken = time.monotonic() - began
        note(f"dbos, {TASKS} tasks of 100 ms on {SLOTS} slots, of ideal", taken / IDEAL, "x")
    os._exit(0)


main()
