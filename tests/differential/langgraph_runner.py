"""Runs one scenario on the real `langgraph` package and prints what happened.

    python langgraph_runner.py graphs/NAME.json

The vocabulary of scenarios and the shape of the output are in README.md.
"""

import asyncio
import importlib.metadata
import importlib.util
import json
import pathlib
import sys
import traceback

from langgraph.cache.memory import InMemoryCache
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.memory import InMemoryStore
from langgraph.types import Command, StateUpdate

import sequential
from canonical import dump
from values import decode, encode


UNREADABLE = "unreadable"


def main():
    sequential.install()
    scenario = pathlib.Path(sys.argv[1])
    sys.stdout.write(dump(run(scenario)))


def run(path):
    """Everything one scenario shows, as a JSON value."""
    scenario = json.loads(path.read_text())
    source = path.with_name(scenario.get("file", path.stem + ".py"))
    version = importlib.metadata.version("langgraph")
    try:
        module = _load(source)
    except Exception as error:
        return {"langgraph": version, "build_error": {"class": type(error).__name__}}
    return {"langgraph": version, **Session(module, source, scenario).run()}


def _load(source):
    spec = importlib.util.spec_from_file_location("graph_file", source)
    module = importlib.util.module_from_spec(spec)
    sys.modules["graph_file"] = module
    spec.loader.exec_module(module)
    return module


class Session:
    """One run of a scenario: one checkpointer, store and cache for all its threads."""

    def __init__(self, module, source, scenario):
        self.module = module
        self.source = str(source)
        self.scenario = scenario
        self.app = getattr(module, scenario.get("graph", "app"))
        self.app.checkpointer = InMemorySaver()
        self.app.store = InMemoryStore()
        self.app.cache = InMemoryCache()
        self.threads = []
        self.interrupts = {}
        self.updated = {}

    def run(self):
        ops = [self.perform(op) for op in self.scenario["ops"]]
        threads = {thread: self.final_history(thread) for thread in self.threads}
        return {"ops": ops, "threads": threads}

    def perform(self, op):
        name = op["op"]
        out = {"op": name}
        try:
            getattr(self, f"op_{name}")(op, out)
        except Exception as error:
            out["error"] = self.error(error)
        if name in ("invoke", "update_state", "bulk_update_state"):
            out["next"] = self.snapshot_next(self.thread(op))
        return out

    # Operations

    def op_invoke(self, op, out):
        thread = self.thread(op)
        modes = op.get("stream", [])
        asked = modes + [mode for mode in ("values", "updates") if mode not in modes]
        options = {key: op[key] for key in ("interrupt_before", "interrupt_after", "durability") if key in op}
        if "context" in op:
            options["context"] = decode(op["context"], self.module)
        arguments = self.input(op, thread), self.config(op, thread)
        options |= {"stream_mode": asked, "subgraphs": True}

        chunks, interrupts, latest = [], [], None

        def take(chunk):
            nonlocal latest
            namespace, mode, data = chunk
            if not namespace and mode == "values":
                latest = data
            if not namespace and mode == "updates" and "__interrupt__" in data:
                interrupts.extend(data["__interrupt__"])
            if mode in modes and (not namespace or op.get("subgraphs")):
                entry = {"mode": mode, "data": _chunk(mode, data)}
                if op.get("subgraphs"):
                    entry["ns"] = list(namespace)
                chunks.append(entry)

        try:
            if self.scenario.get("async"):
                asyncio.run(self._drain_async(arguments, options, take))
            else:
                for chunk in self.app.stream(*arguments, **options):
                    take(chunk)
        finally:
            if modes:
                out["chunks"] = chunks
        if isinstance(latest, dict):
            # `stream` shows all keys of the state, `invoke` those of the output schema.
            latest = {key: value for key, value in latest.items() if key in self.app.output_channels}
        out["result"] = encode(latest)
        if interrupts:
            out["interrupts"] = encode(interrupts)
            self.interrupts[thread] = interrupts

    async def _drain_async(self, arguments, options, take):
        async for chunk in self.app.astream(*arguments, **options):
            take(chunk)

    def op_update_state(self, op, out):
        thread = self.thread(op)
        self.updated[thread] = self.app.update_state(
            self.config(op, thread), decode(op.get("values"), self.module), op.get("as_node")
        )

    def op_bulk_update_state(self, op, out):
        thread = self.thread(op)
        supersteps = [
            [StateUpdate(decode(update.get("values"), self.module), update.get("as_node")) for update in step]
            for step in op["supersteps"]
        ]
        self.updated[thread] = self.app.bulk_update_state(self.config(op, thread), supersteps)

    def op_get_state(self, op, out):
        config = self.config(op, self.thread(op))
        try:
            out["state"] = _snapshot(self.app.get_state(config, subgraphs=op.get("subgraphs", False)))
        except Exception:
            out["state"] = UNREADABLE

    def op_get_state_history(self, op, out):
        out["history"] = self.history(self.thread(op), brief=False, base=self.config(op, self.thread(op)))

    def op_store_put(self, op, out):
        self.app.store.put(tuple(op["namespace"]), op["key"], op["value"])

    def op_store_delete(self, op, out):
        self.app.store.delete(tuple(op["namespace"]), op["key"])

    def op_store_get(self, op, out):
        item = self.app.store.get(tuple(op["namespace"]), op["key"])
        out["value"] = None if item is None else encode(item.value)

    def op_store_search(self, op, out):
        options = {key: op[key] for key in ("filter", "limit", "offset") if key in op}
        items = self.app.store.search(tuple(op["namespace"]), **options)
        out["items"] = sorted(
            ({"namespace": list(item.namespace), "key": item.key, "value": encode(item.value)} for item in items),
            key=lambda item: (item["namespace"], item["key"]),
        )

    def op_store_list_namespaces(self, op, out):
        found = self.app.store.list_namespaces(prefix=tuple(op["prefix"]) if "prefix" in op else None)
        out["namespaces"] = sorted(list(namespace) for namespace in found)

    # Arguments

    def thread(self, op):
        thread = op.get("thread", "main")
        if thread not in self.threads and not op["op"].startswith("store_"):
            self.threads.append(thread)
        return thread

    def input(self, op, thread):
        if "command" not in op:
            return decode(op.get("input"), self.module)
        command = dict(op["command"])
        if "resume_map" in command:
            waiting = self.interrupts[thread]
            answers = command.pop("resume_map")
            command["resume"] = {waiting[int(index)].id: decode(answer, self.module) for index, answer in answers.items()}
        elif "resume" in command:
            command["resume"] = decode(command["resume"], self.module)
        for key in ("update", "goto"):
            if key in command:
                command[key] = decode(command[key], self.module)
        return Command(**command)

    def config(self, op, thread):
        config = {**op.get("config", {})}
        own = config.pop("configurable", {})
        return config | {"configurable": {**own, "thread_id": thread, **self.checkpoint(op, thread)}}

    def checkpoint(self, op, thread):
        """The entries of `configurable` that name a checkpoint."""
        wanted = op.get("checkpoint")
        if wanted is None:
            return {}
        if wanted == "updated":
            return self.updated[thread]["configurable"]
        base = {"configurable": {"thread_id": thread}}
        snapshot = list(self.app.get_state_history(base))[wanted["history"]]
        for node in wanted.get("within", []):
            snapshot = self.app.get_state(snapshot.config, subgraphs=True)
            state = next(task.state for task in snapshot.tasks if task.name == node)
            snapshot = state if hasattr(state, "config") else self.app.get_state(state)
        if "inner_history" in wanted:
            inner = dict(snapshot.config["configurable"])
            inner.pop("checkpoint_id", None)
            snapshot = list(self.app.get_state_history({"configurable": inner}))[wanted["inner_history"]]
        return snapshot.config["configurable"]

    # Results

    def snapshot_next(self, thread):
        """LangGraph cannot read the state of a thread whose saved writes clash."""
        config = {"configurable": {"thread_id": thread}}
        try:
            return list(self.app.get_state(config).next)
        except Exception:
            return UNREADABLE

    def final_history(self, thread):
        try:
            return self.history(thread, brief=True)
        except Exception:
            return UNREADABLE

    def history(self, thread, brief, base=None):
        config = base or {"configurable": {"thread_id": thread}}
        entries = list(self.app.get_state_history(config))
        places = {entry.config["configurable"]["checkpoint_id"]: index for index, entry in enumerate(entries)}
        found = []
        for entry in entries:
            shown = _snapshot(entry, brief)
            parent = entry.parent_config and entry.parent_config["configurable"]["checkpoint_id"]
            shown["parent"] = places.get(parent)
            found.append(shown)
        return found

    def error(self, error):
        """The class; the message too when the graph file itself raised it."""
        found = {"class": type(error).__name__}
        frames = traceback.extract_tb(error.__traceback__)
        if frames and frames[-1].filename == self.source:
            found["message"] = str(error)
        else:
            found["about"] = str(error).splitlines()[0] if str(error) else ""
        return found


def _snapshot(snapshot, brief=False):
    metadata = snapshot.metadata or {}
    shown = {
        "values": encode(snapshot.values),
        "next": list(snapshot.next),
        "source": metadata.get("source"),
        "step": metadata.get("step"),
    }
    if brief:
        shown["interrupts"] = [encode(item.value) for item in snapshot.interrupts]
    else:
        shown["tasks"] = [_task(task) for task in snapshot.tasks]
    return shown


def _task(task):
    shown = {"name": task.name, "interrupts": encode(task.interrupts)}
    if task.error is not None:
        shown["error"] = _error_text(task.error)
    if task.result is not None:
        shown["result"] = encode(task.result)
    if hasattr(task.state, "values") and hasattr(task.state, "next"):
        shown["state"] = _snapshot(task.state)
    return shown


def _chunk(mode, data):
    if mode == "messages":
        message, metadata = data
        kept = {key: metadata[key] for key in ("langgraph_node", "langgraph_step") if key in metadata}
        return [encode(message), kept]
    if mode == "tasks":
        return _task_chunk(data)
    if mode == "checkpoints":
        return _checkpoint_chunk(data)
    if mode == "debug":
        payload = _checkpoint_chunk(data["payload"]) if data["type"] == "checkpoint" else _task_chunk(data["payload"])
        return {"type": data["type"], "step": data["step"], "payload": payload}
    return encode(data)


def _task_chunk(data):
    shown = {"id": data["id"], "name": data["name"]}
    if "triggers" in data:
        return shown | {"input": encode(data["input"]), "triggers": sorted(data["triggers"])}
    shown |= {"result": encode(data["result"]), "interrupts": [_interrupt(item) for item in data["interrupts"]]}
    return shown | {"error": None if data["error"] is None else _error_text(data["error"])}


def _checkpoint_chunk(data):
    return {
        "values": encode(data["values"]),
        "next": list(data["next"]),
        "source": data["metadata"]["source"],
        "step": data["metadata"]["step"],
        "tasks": [
            {"name": task["name"], "interrupts": [_interrupt(item) for item in task.get("interrupts", ())]}
            | ({"result": encode(task["result"])} if task.get("result") else {})
            | ({"error": _error_text(task["error"])} if task.get("error") else {})
            for task in data["tasks"]
        ],
    }


def _interrupt(item):
    return {"id": item["id"], "value": encode(item["value"])}


def _error_text(error):
    """`Class('message')` however it is kept."""
    return error if isinstance(error, str) else repr(error)


if __name__ == "__main__":
    main()
