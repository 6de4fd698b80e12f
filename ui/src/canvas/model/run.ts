import type { RunEvent } from "@/api/events";
import type { Failure, StateAt } from "@/api/types";

/** What is known of a run from its events. The same events give the same view. */
export interface RunView {
  phase: "starting" | "running" | "waiting" | "paused" | "completed" | "failed" | "cancelled";
  nodes: Record<string, NodeRun>;
  log: LogLine[];
  /** The state at the end of each superstep, oldest first. */
  steps: StepView[];
  values: Record<string, unknown>;
  spans: TraceSpan[];
  /** Where in `spans` those stand that have not ended, the oldest first, by what they are of. */
  openSpans: Record<string, number[]>;
  /** Text of answers that are still arriving, by task. */
  streams: Record<string, { node: string; text: string }>;
  usage: { input: number; output: number };
  costMicros: number;
  startedAt?: number;
  endedAt?: number;
  error?: Failure;
  lastSequence: number;
}

export type NodeState = "idle" | "running" | "done" | "failed" | "waiting";

export interface NodeRun {
  state: NodeState;
  /** How many of its tasks are under way. */
  active: number;
  /** How many have ended. */
  runs: number;
  durationUs: number;
  usage: { input: number; output: number };
  costMicros: number;
  error?: Failure;
}

export interface LogLine {
  key: number;
  time: number;
  kind: RunEvent["kind"];
  node?: string;
  task?: string;
  step?: number;
  text: string;
  data?: unknown;
  durationUs?: number;
  tone: "plain" | "good" | "bad" | "wait" | "quiet";
}

export interface StepView {
  step: number;
  time: number;
  checkpoint?: string;
  changed: string[];
  values: Record<string, unknown>;
}

export interface TraceSpan {
  key: number;
  kind: "node" | "model" | "tool";
  name: string;
  node: string;
  task?: string;
  /** Microseconds since 1970. */
  start: number;
  end?: number;
  failed: boolean;
  depth: number;
}

export function emptyRun(): RunView {
  return {
    phase: "starting",
    nodes: {},
    log: [],
    steps: [],
    values: {},
    spans: [],
    openSpans: {},
    streams: {},
    usage: { input: 0, output: 0 },
    costMicros: 0,
    lastSequence: 0,
  };
}

/** The view after more events. What did not change stays the same object. */
export function applyEvents(view: RunView, events: RunEvent[]): RunView {
  const next: RunView = {
    ...view,
    nodes: { ...view.nodes },
    log: [...view.log],
    steps: [...view.steps],
    spans: [...view.spans],
    openSpans: { ...view.openSpans },
    streams: { ...view.streams },
  };
  for (const event of events) apply(next, event);
  return next;
}

/** The view of a run that stands still with the state that was saved last, if that is news. */
export function withState(view: RunView, state: StateAt): RunView {
  if (view.steps.some((step) => step.checkpoint === state.checkpoint)) return view;
  const values = (state.values ?? {}) as Record<string, unknown>;
  const before = view.steps.at(-1)?.values ?? view.values;
  const changed = Object.keys(values).filter((key) => JSON.stringify(values[key]) !== JSON.stringify(before[key]));
  const time = Date.parse(state.created_at) * 1_000;
  const step: StepView = { step: state.step, time, checkpoint: state.checkpoint, changed, values };
  return { ...view, values, steps: [...view.steps, step] };
}

/** The id on the canvas of the node that an event belongs to. */
export function nodeOf(event: RunEvent): string {
  const above = (event.namespace ?? []).map((part) => part.split(":")[0] ?? part);
  return [...above, event.node ?? ""].join("/");
}

function apply(view: RunView, event: RunEvent) {
  view.lastSequence = Math.max(view.lastSequence, event.sequence);
  const data = (event.data ?? {}) as Record<string, unknown>;
  const node = event.node == null ? "" : nodeOf(event);
  switch (event.kind) {
    case "start":
      view.phase = "running";
      view.startedAt ??= event.time;
      view.endedAt = undefined;
      view.error = undefined;
      if (data.goes_on !== true && isRecord(data.input) && !isElided(data.input) && Object.keys(view.values).length === 0) view.values = data.input;
      return say(view, event, "quiet", "");
    case "node_enter":
      touch(view, node, (run) => ({ ...run, state: "running", active: run.active + 1, error: undefined }));
      begin(view, event, "node", node);
      return say(view, event, "quiet", "");
    case "node_exit":
      return exit(view, event, node, data);
    case "node_retry":
      return say(view, event, "wait", messageOf(data.error));
    case "state_update":
      return update(view, event, data);
    case "llm_request":
      begin(view, event, "model", inline(data.model));
      return say(view, event, "quiet", inline(data.model));
    case "llm_stream_chunk": {
      if (typeof data.text !== "string" || event.task == null) return;
      const known = view.streams[event.task];
      view.streams[event.task] = { node, text: (known?.text ?? "") + data.text };
      return;
    }
    case "llm_response":
      close(view, event, "model", inline(data.model), false);
      add(view, event, node);
      return answered(view, event, data);
    case "tool_call":
      begin(view, event, "tool", String(data.tool ?? ""));
      return say(view, event, "plain", `${String(data.tool ?? "")} ${inline(data.args)}`);
    case "tool_result": {
      const failed = data.error !== undefined;
      close(view, event, "tool", String(data.tool ?? ""), failed);
      return say(view, event, failed ? "bad" : "plain", failed ? messageOf(data.error) : inline(data.result));
    }
    case "interrupt":
      view.phase = "waiting";
      touch(view, node, (run) => ({ ...run, state: "waiting", active: Math.max(0, run.active - 1) }));
      return say(view, event, "wait", questionText(data.value));
    case "print":
      return say(view, event, "plain", String(data.text ?? "").trimEnd());
    case "notice":
      return say(view, event, "quiet", String(data.message ?? ""));
    case "custom":
      return say(view, event, "plain", inline(event.data));
    case "error":
      view.error = data as Failure;
      return say(view, event, "bad", messageOf(data));
    case "done":
      return end(view, event, data);
    case "checkpoint_save": {
      const step = view.steps.at(-1);
      if (step && step.checkpoint === undefined) step.checkpoint = event.checkpoint ?? undefined;
      return;
    }
    default:
      return say(view, event, "quiet", inline(event.data));
  }
}

/** The log leaves long answers out; what was heard of them while they came is still known. */
function answered(view: RunView, event: RunEvent, data: Record<string, unknown>) {
  const heard = event.task == null ? undefined : view.streams[event.task]?.text;
  if (event.task != null) delete view.streams[event.task];
  say(view, event, "plain", contentOf(data.message) || heard || "");
}

function exit(view: RunView, event: RunEvent, node: string, data: Record<string, unknown>) {
  const failed = data.error !== undefined;
  touch(view, node, (run) => {
    const active = Math.max(0, run.active - 1);
    return {
      ...run,
      state: failed ? "failed" : active > 0 ? "running" : "done",
      active,
      runs: run.runs + 1,
      durationUs: run.durationUs + (event.duration_us ?? 0),
      error: failed ? (data.error as Failure) : undefined,
    };
  });
  close(view, event, "node", node, failed);
  if (event.task != null) delete view.streams[event.task];
  say(view, event, failed ? "bad" : "good", failed ? messageOf(data.error) : summary(data.update));
  // The log has no state of its own: after a reload the answers of nodes stand for it.
  if (!failed && isRecord(data.update) && !isElided(data.update) && (event.namespace ?? []).length === 0 && view.steps.length === 0) {
    view.values = { ...view.values, ...data.update };
  }
}

function update(view: RunView, event: RunEvent, data: Record<string, unknown>) {
  if ((event.namespace ?? []).length > 0 || !isRecord(data.values)) return;
  const changes = Object.entries(data.values).filter(([key]) => !key.startsWith("__"));
  const values = { ...view.values };
  for (const [key, change] of changes) values[key] = merged(values[key], change);
  view.values = values;
  if (changes.length === 0) return;
  view.steps.push({
    step: event.step ?? view.steps.length,
    time: event.time,
    checkpoint: event.checkpoint ?? undefined,
    changed: changes.map(([key]) => key),
    values,
  });
}

function end(view: RunView, event: RunEvent, data: Record<string, unknown>) {
  // An output schema leaves out keys that the steps have shown.
  if (isRecord(data.values) && !isElided(data.values)) view.values = { ...view.values, ...data.values };
  view.endedAt = event.time;
  const status = String(data.status ?? "");
  view.phase = status === "interrupted" ? "waiting" : status === "failed" ? "failed" : status === "drained" ? "running" : "completed";
  if (status === "cancelled") view.phase = "cancelled";
  if (view.phase === "completed" || view.phase === "failed") view.streams = {};
  if (status === "interrupted") return;
  say(view, event, status === "failed" ? "bad" : status === "completed" ? "good" : "quiet", "");
}

function touch(view: RunView, node: string, change: (run: NodeRun) => NodeRun) {
  const known = view.nodes[node] ?? {
    state: "idle",
    active: 0,
    runs: 0,
    durationUs: 0,
    usage: { input: 0, output: 0 },
    costMicros: 0,
  };
  view.nodes[node] = change(known);
}

function add(view: RunView, event: RunEvent, node: string) {
  const usage = event.usage ?? { input: 0, output: 0 };
  const cost = event.cost_micros ?? 0;
  view.usage = { input: view.usage.input + usage.input, output: view.usage.output + usage.output };
  view.costMicros += cost;
  touch(view, node, (run) => ({
    ...run,
    usage: { input: run.usage.input + usage.input, output: run.usage.output + usage.output },
    costMicros: run.costMicros + cost,
  }));
}

function begin(view: RunView, event: RunEvent, kind: TraceSpan["kind"], name: string) {
  const key = openKey(kind, nodeOf(event), event.task);
  view.openSpans[key] = [...(view.openSpans[key] ?? []), view.spans.length];
  view.spans.push(span(view, event, kind, name));
}

function openKey(kind: TraceSpan["kind"], node: string, task: string | null | undefined): string {
  return `${kind} ${task ?? ""} ${node}`;
}

function span(view: RunView, event: RunEvent, kind: TraceSpan["kind"], name: string): TraceSpan {
  const node = nodeOf(event);
  const depth = (event.namespace ?? []).length + (kind === "node" ? 0 : 1);
  return { key: view.spans.length, kind, name, node, task: event.task ?? undefined, start: event.time, failed: false, depth };
}

/** The log holds only how things ended; what began is then known from how long it took. */
function close(view: RunView, event: RunEvent, kind: TraceSpan["kind"], name: string, failed: boolean) {
  const opened = openKey(kind, nodeOf(event), event.task);
  const open = view.openSpans[opened]?.[0];
  if (open !== undefined) {
    view.openSpans[opened] = view.openSpans[opened]!.slice(1);
    view.spans[open] = { ...view.spans[open]!, end: event.time, failed };
    return;
  }
  const whole = span(view, event, kind, name);
  view.spans.push({ ...whole, start: event.time - (event.duration_us ?? 0), end: event.time, failed });
}

function say(view: RunView, event: RunEvent, tone: LogLine["tone"], text: string) {
  view.log.push({
    key: view.log.length,
    time: event.time,
    kind: event.kind,
    node: event.node == null ? undefined : nodeOf(event),
    task: event.task ?? undefined,
    step: event.step ?? undefined,
    text,
    data: event.data,
    durationUs: event.duration_us ?? undefined,
    tone,
  });
}

/** A list that grew comes as what was added to it. */
function merged(before: unknown, change: unknown): unknown {
  if (isRecord(change) && change.$type === "append" && Array.isArray(change.items)) {
    return [...(Array.isArray(before) ? before : []), ...change.items];
  }
  return change;
}

export function contentOf(message: unknown): string {
  if (isElided(message)) return "";
  if (!isRecord(message)) return inline(message);
  if (typeof message.content === "string" && message.content !== "") return message.content;
  const calls = Array.isArray(message.tool_calls) ? message.tool_calls : [];
  if (calls.length > 0) return calls.map((call) => (isRecord(call) ? `${String(call.name)} ${inline(call.args)}` : "")).join("\n");
  return typeof message.content === "string" ? "" : inline(message.content);
}

export function questionText(value: unknown): string {
  if (typeof value === "string") return value;
  if (isRecord(value)) {
    for (const key of ["question", "message", "prompt", "title"]) {
      const text = value[key];
      if (typeof text === "string") return text;
    }
  }
  return inline(value);
}

export function messageOf(failure: unknown): string {
  if (isElided(failure)) return "";
  return isRecord(failure) && typeof failure.message === "string" ? failure.message : inline(failure);
}

const INLINE_MAX = 600;

/** A value that the log leaves out because it stands in it elsewhere or is long. */
export function isElided(value: unknown): boolean {
  return isRecord(value) && value.$type === "elided";
}

export function inline(value: unknown): string {
  if (isElided(value)) return "…";
  if (value === undefined || value === null) return "";
  const text = typeof value === "string" ? value : JSON.stringify(value, plain);
  return text.length > INLINE_MAX ? `${text.slice(0, INLINE_MAX)}…` : text;
}

/** How the log marks what JSON has no word for is of no use to who reads it. */
function plain(_key: string, value: unknown): unknown {
  if (!isRecord(value)) return value;
  if (isElided(value)) return "…";
  if (value.$type === "object") return value.fields;
  return value.$type === "message" ? `${String(value.type)}: ${contentOf(value)}` : value;
}

/** `key: value` for each key that a node wrote. */
function summary(update: unknown): string {
  if (!isRecord(update) || isElided(update)) return inline(update);
  return Object.entries(update)
    .map(([key, value]) => `${key}: ${inline(value)}`)
    .join("\n");
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
