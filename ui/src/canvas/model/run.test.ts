import { expect, test } from "vitest";
import type { RunEvent } from "@/api/events";
import { applyEvents, emptyRun, nodeOf, withState } from "./run";

let sequence = 0;
function event(kind: RunEvent["kind"], rest: Partial<RunEvent> = {}): RunEvent {
  sequence += 1;
  return { sequence, time: sequence * 1_000, kind, ...rest };
}

test("a node that runs twice at once is done when both are", () => {
  const begun = applyEvents(emptyRun(), [
    event("node_enter", { node: "a", task: "1" }),
    event("node_enter", { node: "a", task: "2" }),
    event("node_exit", { node: "a", task: "1", duration_us: 5, data: { update: { x: 1 } } }),
  ]);
  expect(begun.nodes.a).toMatchObject({ state: "running", active: 1, runs: 1 });
  const ended = applyEvents(begun, [event("node_exit", { node: "a", task: "2", duration_us: 7, data: {} })]);
  expect(ended.nodes.a).toMatchObject({ state: "done", active: 0, runs: 2, durationUs: 12 });
  expect(begun.nodes.a).toMatchObject({ state: "running" });
});

test("the log alone gives the same states and spans as a live view", () => {
  const exit = event("node_exit", { node: "a", task: "1", step: 1, duration_us: 400, data: { update: { x: 1 } } });
  const run = applyEvents(emptyRun(), [event("start", { data: {} }), exit]);
  expect(run.nodes.a?.state).toBe("done");
  expect(run.spans).toMatchObject([{ kind: "node", name: "a", start: exit.time - 400, end: exit.time }]);
  expect(run.values).toEqual({ x: 1 });
});

test("state updates add to lists and keep a copy of each step", () => {
  const run = applyEvents(emptyRun(), [
    event("state_update", { step: 0, data: { values: { list: ["a"], other: 1 } } }),
    event("state_update", { step: 1, data: { values: { list: { $type: "append", items: ["b"] } } } }),
  ]);
  expect(run.values).toEqual({ list: ["a", "b"], other: 1 });
  expect(run.steps.map((step) => step.values.list)).toEqual([["a"], ["a", "b"]]);
});

test("an answer that the log leaves out is what was heard of it", () => {
  const run = applyEvents(emptyRun(), [
    event("llm_stream_chunk", { node: "a", task: "1", data: { text: "Hel" } }),
    event("llm_stream_chunk", { node: "a", task: "1", data: { text: "lo" } }),
    event("llm_response", { node: "a", task: "1", data: { message: { $type: "elided", bytes: 9 } }, usage: { input: 1, output: 2 } }),
  ]);
  expect(run.log.at(-1)?.text).toBe("Hello");
  expect(run.streams).toEqual({});
  expect(run.usage).toEqual({ input: 1, output: 2 });
});

test("nodes of subgraphs are named from the outside in", () => {
  expect(nodeOf(event("node_enter", { node: "look", namespace: ["research:abc", "deep:def"] }))).toBe("research/deep/look");
});

test("a state that was changed by hand is a step of its own, and one that is known is none", () => {
  const run = applyEvents(emptyRun(), [event("state_update", { step: 1, checkpoint: "c1", data: { values: { a: 1, b: [1] } } })]);
  const state = { checkpoint: "c1", step: 1, namespace: "", created_at: "2026-01-31T00:00:00Z", values: { a: 1, b: [1] }, tasks: [] };
  expect(withState(run, state)).toBe(run);
  const edited = withState(run, { ...state, checkpoint: "c2", step: 2, values: { a: 2, b: [1] } });
  expect(edited.values).toEqual({ a: 2, b: [1] });
  expect(edited.steps.map(({ checkpoint, changed }) => ({ checkpoint, changed })).at(-1)).toEqual({ checkpoint: "c2", changed: ["a"] });
});

test("the log says values without the marks of their types", () => {
  const update = { plan: { $type: "object", class: "Plan", fields: { queries: ["a"] } }, said: [{ $type: "message", type: "ai", content: "Hi" }] };
  const run = applyEvents(emptyRun(), [event("node_exit", { node: "a", task: "1", data: { update } })]);
  expect(run.log.at(-1)?.text).toBe('plan: {"queries":["a"]}\nsaid: ["ai: Hi"]');
});

test("an output that is less than the state takes nothing away", () => {
  const run = applyEvents(emptyRun(), [
    event("state_update", { step: 1, data: { values: { question: "why", answer: "so" } } }),
    event("done", { data: { status: "completed", values: { answer: "so" } } }),
  ]);
  expect(run.values).toEqual({ question: "why", answer: "so" });
});
