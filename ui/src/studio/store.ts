import { applyNodeChanges, type NodeChange } from "@xyflow/react";
import { create } from "zustand";
import type { RunEvent } from "@/api/events";
import type { Diagnostic, FileSpec, GraphSpec } from "@/api/spec";
import type { Breakpoints, Parsed, Place, StateAt } from "@/api/types";
import { type FlowEdge, type FlowNode, flowOf, keyOf } from "@/canvas/model/flow";
import { layOut } from "@/canvas/model/layout";
import { mainGraph, pictureOf } from "@/canvas/model/picture";
import { applyEvents, emptyRun, type RunView, withState } from "@/canvas/model/run";
import type { TextEditor } from "./editor";

export type View = "code" | "split" | "canvas";

/** An edit as text, why it is shown before it is made, and what is said to it. */
export interface Proposal {
  before: string;
  after: string;
  doubts: { reason: string; line: number }[];
  decide(made: boolean): void;
}

/** Nodes that a run stops at, by name. */
export interface StopsAt {
  before: ReadonlySet<string>;
  after: ReadonlySet<string>;
}

/**
 * One open workflow. The text in the editor is the truth: `spec` is what the server
 * understood of it, `nodes` and `edges` are drawn from that, and nothing else holds them.
 */
export interface StudioState {
  file: string;
  source: string;
  /** The server's name for the text that `spec` is of, and that text. */
  version: string;
  specSource: string;
  /** The text that was read last: another one than `specSource` when it is broken. */
  readSource: string | null;
  spec: FileSpec | null;
  problems: Diagnostic[];
  /** The text cannot be read as Python at some place; the picture is the last good one. */
  broken: boolean;
  graphName: string | null;
  unfolded: ReadonlySet<string>;
  layout: Record<string, Place>;
  nodes: FlowNode[];
  edges: FlowEdge[];
  drawnKey: string;
  selected: string | null;
  breakpoints: StopsAt;
  /** What answers all model calls of the next run, by name; empty: what the code says. */
  model: string;
  view: View;
  editor: TextEditor | null;
  runId: string | null;
  /** An edit of the canvas that waits for a yes. */
  proposal: Proposal | null;
  /** Everything that happened in the run so far, and what is shown of it. */
  events: RunEvent[];
  run: RunView;
  /** The newest state that was saved of a run that stands still. */
  standing: StateAt | null;
  /** The event up to which the run is shown; null: the present. */
  moment: number | null;

  open(file: string, source: string, layout: Record<string, Place>): void;
  typed(source: string): void;
  parsed(source: string, parsed: Parsed): void;
  showGraph(name: string): void;
  fold(id: string): void;
  select(id: string | null): void;
  changeNodes(changes: NodeChange<FlowNode>[]): void;
  arrange(): void;
  toggleBreakpoint(when: keyof StopsAt, id: string): void;
  watch(runId: string | null): void;
  happened(events: RunEvent[]): void;
  stood(state: StateAt): void;
  travel(moment: number | null): void;
}

/** On a phone code and canvas have no room beside each other. */
const NARROW = 720;

const FRESH = {
  version: "",
  specSource: "",
  readSource: null,
  spec: null,
  problems: [],
  broken: false,
  graphName: null,
  unfolded: new Set<string>(),
  nodes: [],
  edges: [],
  drawnKey: "",
  selected: null,
  breakpoints: { before: new Set<string>(), after: new Set<string>() },
  proposal: null,
  runId: null,
  events: [],
  run: emptyRun(),
  standing: null,
  moment: null,
  model: "",
};

export const useStudio = create<StudioState>((set, get) => ({
  ...FRESH,
  file: "",
  source: "",
  layout: {},
  view: "split",
  editor: null,

  open: (file, source, layout) => set({ ...FRESH, file, source, layout, view: innerWidth < NARROW ? "canvas" : get().view }),
  typed: (source) => set({ source }),

  parsed: (source, { version, spec }) => {
    const broken = spec.problems.some((problem) => problem.code === "syntax_error");
    const state = get();
    // A picture of half a file would lose what the user still means to have.
    if (broken && state.spec !== null) return set({ problems: spec.problems, broken, readSource: source });
    const next = { ...state, version, specSource: source, readSource: source, spec, problems: spec.problems, broken };
    set({ ...next, ...redrawn(next) });
  },

  showGraph: (graphName) => {
    const next = { ...get(), graphName, unfolded: new Set<string>(), selected: null };
    set({ ...next, ...redrawn(next) });
  },

  fold: (id) => {
    const unfolded = new Set(get().unfolded);
    if (!unfolded.delete(id)) unfolded.add(id);
    const next = { ...get(), unfolded };
    set({ ...next, ...redrawn(next) });
  },

  select: (selected) => {
    const { nodes, edges } = get();
    set({ selected, nodes: marked(nodes, selected), edges: marked(edges, selected) });
  },

  changeNodes: (changes) => {
    const nodes = applyNodeChanges(changes, get().nodes);
    const dropped = changes.filter((change) => change.type === "position" && change.dragging === false);
    if (dropped.length === 0) return set({ nodes });
    const layout = { ...get().layout };
    for (const node of nodes) {
      if (dropped.some((change) => "id" in change && change.id === node.id)) layout[node.id] = rounded(node.position);
    }
    const next = { ...get(), nodes, layout, drawnKey: "" };
    set({ ...next, ...redrawn(next) });
  },

  arrange: () => {
    const next = { ...get(), layout: {}, drawnKey: "" };
    set({ ...next, ...redrawn(next) });
  },

  toggleBreakpoint: (when, id) => {
    const { breakpoints } = get();
    const nodes = new Set(breakpoints[when]);
    if (!nodes.delete(id)) nodes.add(id);
    set({ breakpoints: { ...breakpoints, [when]: nodes } });
  },

  watch: (runId) => set({ runId, events: [], run: emptyRun(), standing: null, moment: null }),
  happened: (fresh) => {
    const { events, run, moment } = get();
    // A run that goes on leaves where it stood.
    if (fresh.some((event) => event.kind === "start")) set({ standing: null });
    // Who looks at the past goes on seeing it while the run goes on.
    set({ events: [...events, ...fresh], run: moment === null ? applyEvents(run, fresh) : run });
  },
  stood: (standing) => {
    const { run, moment } = get();
    set({ standing, run: moment === null ? withState(run, standing) : run });
  },
  travel: (moment) => {
    const { events, standing } = get();
    const shown = moment === null ? events : events.slice(0, moment + 1);
    const run = applyEvents(emptyRun(), shown);
    set({ moment, run: moment === null && standing !== null ? withState(run, standing) : run });
  },
}));

/** As a request has them; undefined where a run stops nowhere. */
export function breakpointsOf({ before, after }: StopsAt): Breakpoints | undefined {
  return before.size + after.size > 0 ? { before: [...before], after: [...after] } : undefined;
}

/** The graph on the canvas. */
export function shownGraph(state: Pick<StudioState, "spec" | "graphName">): GraphSpec | undefined {
  if (!state.spec) return undefined;
  return state.spec.graphs.find((graph) => graph.name === state.graphName) ?? mainGraph(state.spec);
}

function redrawn(state: StudioState): Pick<StudioState, "nodes" | "edges" | "drawnKey"> {
  const graph = shownGraph(state);
  if (!state.spec || !graph) return { nodes: [], edges: [], drawnKey: "" };
  const picture = pictureOf(state.spec, graph, state.unfolded);
  const key = keyOf(picture);
  // Most key presses change no arrow and no name: then nothing is laid out again.
  if (key === state.drawnKey) return { nodes: state.nodes, edges: state.edges, drawnKey: key };
  const flow = flowOf(layOut(picture, state.layout), state);
  return { nodes: marked(flow.nodes, state.selected), edges: marked(flow.edges, state.selected), drawnKey: key };
}

function marked<T extends { id: string; selected?: boolean }>(items: T[], selected: string | null): T[] {
  return items.map((item) => (!!item.selected === (item.id === selected) ? item : { ...item, selected: item.id === selected }));
}

function rounded({ x, y }: Place): Place {
  return { x: Math.round(x), y: Math.round(y) };
}
