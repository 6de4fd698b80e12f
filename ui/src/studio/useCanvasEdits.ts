import { useMemo } from "react";
import { api, type Operation } from "@/api/actions";
import { Refused } from "@/api/client";
import type { NodeType } from "@/api/types";
import { say } from "@/components/say";
import { useT } from "@/i18n";
import { newName, newSettings } from "./additions";
import { fromBytes } from "./edits";
import { doubtsAbout, graphAt, nameOf } from "./place";
import { shownGraph, useStudio } from "./store";

export interface CanvasEdits {
  /** Operations on the graph that a node or an edge is of; without an id on the shown one. */
  operate(id: string | undefined, ...operations: Operation[]): Promise<boolean>;
  connect(source: string, target: string): Promise<boolean>;
  remove(ids: string[]): Promise<boolean>;
  rename(id: string, to: string): Promise<boolean>;
  set(id: string, settings: Record<string, unknown>): Promise<boolean>;
  /** A typed node, or without a type a function. */
  add(type: NodeType | undefined): Promise<boolean>;
}

/**
 * Gestures on the canvas become edits of the text. Each gives whether it was done; a
 * refusal is said. `onEdited` hears of each that was, with the text before it.
 */
export function useCanvasEdits(onEdited: (before: string) => void): CanvasEdits {
  const t = useT();
  return useMemo(() => {
    const operate = async (id: string | undefined, ...operations: Operation[]): Promise<boolean> => {
      if (operations.length === 0) return false;
      const state = useStudio.getState();
      try {
        const before = await apply((id === undefined ? shownGraph(state) : graphAt(state, id))?.name, operations);
        if (before !== undefined) onEdited(before);
        return before !== undefined;
      } catch (error) {
        say.trouble(error instanceof Refused ? reasonOf(error) : t("error.unreachable"));
        return false;
      }
    };
    return {
      operate,
      connect: (source, target) => operate(source, { op: "add_edge", source: nameOf(source), target: nameOf(target) }),
      rename: (id, to) => operate(id, { op: "rename_node", name: nameOf(id), to }),
      set: (id, settings) => operate(id, { op: "set_node", name: nameOf(id), settings }),
      add: async (type) => {
        const { selected, nodes } = useStudio.getState();
        const graph = shownGraph(useStudio.getState());
        const name = newName(type?.name ?? "step", nodes.map((node) => node.id));
        const node = type ? { typed: type.name, settings: newSettings(type, graph) } : { new_function: name };
        const operations: Operation[] = [{ op: "add_node", name, node }];
        // It comes after what is selected, as that is where one looks.
        const after = nodes.find((node) => node.id === selected && node.data.node.parent === undefined)?.data.node;
        if (after && after.kind !== "end") operations.push({ op: "add_edge", source: after.name, target: name });
        const done = await operate(undefined, ...operations);
        if (done) useStudio.getState().select(name);
        return done;
      },
      remove: (ids) => {
        const operations = ids.flatMap(removal);
        if (operations.length === 0) say.trouble(t("canvas.decidedInCode"));
        return operate(ids[0], ...operations);
      },
    };
  }, [t, onEdited]);
}

/** Makes an edit and gives the text before it; undefined when it was not wanted. */
async function apply(graph: string | undefined, operations: Operation[]): Promise<string | undefined> {
  for (;;) {
    const { source, file, editor } = useStudio.getState();
    const edited = await api.edit({ source, file, graph, operations });
    const doubts = doubtsAbout(useStudio.getState(), graph);
    if (doubts.length > 0 && !(await agreed({ before: source, after: edited.source, doubts }))) return undefined;
    // Typed in the meantime: the edit is of an older text, and is asked for again.
    if (useStudio.getState().source !== source) continue;
    // The answer says what the new text means: told first, the text is not asked about again.
    useStudio.getState().parsed(edited.source, edited);
    editor?.apply(fromBytes(source, edited.edits));
    return source;
  }
}

/** Shows an edit as text and waits for what is said to it. */
function agreed(proposal: { before: string; after: string; doubts: { reason: string; line: number }[] }): Promise<boolean> {
  return new Promise((resolve) => {
    const decide = (made: boolean) => {
      useStudio.setState({ proposal: null });
      resolve(made);
    };
    useStudio.setState({ proposal: { ...proposal, decide } });
  });
}

function removal(id: string): Operation[] {
  const { nodes, edges } = useStudio.getState();
  if (nodes.some((node) => node.id === id && node.type !== "end")) return [{ op: "remove_node", name: nameOf(id) }];
  const edge = edges.find((edge) => edge.id === id)?.data?.edge;
  if (!edge) return [];
  const source = nameOf(edge.source);
  if (edge.kind === "conditional") return edge.routes.map((route) => ({ op: "remove_branch", source, route }));
  if (edge.kind === "plain" || edge.kind === "join") return [{ op: "remove_edge", source, target: nameOf(edge.target) }];
  return [];
}

function reasonOf(error: Refused): string {
  const { detail, errors, help } = error.problem;
  return [errors?.[0]?.detail ?? detail, help].filter(Boolean).join(" ");
}
