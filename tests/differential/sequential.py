"""Makes LangGraph run the tasks of one superstep one after another, in task order.

Parallel nodes make the order of streamed chunks a race. Results do not depend on
it (writes are merged in task order), so the recording removes the race: each
task waits until the one submitted before it has ended and its writes are out.
"""

import threading

from langgraph.pregel import _executor, _retry


def install():
    """Patches the thread executor; call once, before any graph runs."""
    submit = _executor.BackgroundExecutor.submit

    def ordered(self, fn, *args, **options):
        if fn is not _retry.run_with_retry:
            return submit(self, fn, *args, **options)
        before, hooked, after = getattr(self, "last_task_ended", None), threading.Event(), threading.Event()
        self.last_task_ended = after

        def turn(*turn_args, **turn_options):
            hooked.wait()
            if before is not None:
                before.wait()
            return fn(*turn_args, **turn_options)

        future = submit(self, turn, *args, **options)
        # Callbacks publish the task's writes; the next task's turn comes after them.
        publish = future._invoke_callbacks

        def publish_then_pass_on():
            try:
                publish()
            finally:
                after.set()

        future._invoke_callbacks = publish_then_pass_on
        hooked.set()
        return future

    _executor.BackgroundExecutor.submit = ordered
