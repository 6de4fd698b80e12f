import { BaseEdge, EdgeLabelRenderer, type EdgeProps, useInternalNode } from "@xyflow/react";
import { memo } from "react";
import { END } from "@/api/spec";
import { useT } from "@/i18n";
import { useStudio } from "@/studio/store";
import type { FlowEdge } from "../model/flow";
import { around, between, through } from "../model/paths";
import classes from "./edges.module.css";

/** An arrow; one that was just gone along is coloured. */
export const ThreadEdge = memo(function ThreadEdge(props: EdgeProps<FlowEdge>) {
  const { id, source, target, data, selected, markerEnd } = props;
  const t = useT();
  const from = useInternalNode(source);
  const to = useInternalNode(target);
  const lit = useStudio((state) => isLit(state.run.nodes, source, target));
  if (!from || !to || !data) return null;
  const { edge } = data;
  const still = from.data.node === undefined ? false : isAt(from) && isAt(to);
  const inside = from.internals.positionAbsolute;
  const offset = { x: inside.x - from.position.x, y: inside.y - from.position.y };
  const points = still ? edge.points?.map((point) => ({ x: point.x + offset.x, y: point.y + offset.y })) : undefined;
  const drawn = source === target ? around(boxOf(from)) : points ? through(points, edge.label && { x: edge.label.x + offset.x, y: edge.label.y + offset.y }) : between(boxOf(from), boxOf(to));
  const text = edge.labels.map((label) => (label === END ? t("node.end") : label)).join(", ");
  return (
    <>
      <BaseEdge
        id={id}
        path={drawn.d}
        markerEnd={markerEnd}
        interactionWidth={18}
        className={classes.edge}
        data-kind={edge.kind}
        data-lit={lit || undefined}
        data-selected={selected || undefined}
      />
      {text && (
        <EdgeLabelRenderer>
          <span
            className={classes.label}
            data-selected={selected || undefined}
            style={{ transform: `translate(-50%, -50%) translate(${drawn.label.x}px, ${drawn.label.y}px)` }}
            title={text}
          >
            {text}
          </span>
        </EdgeLabelRenderer>
      )}
    </>
  );
});

type Internal = NonNullable<ReturnType<typeof useInternalNode>>;

/** Whether the node is where the layout put it: else the way around others is out of date. */
function isAt(node: Internal): boolean {
  const placed = (node.data as FlowEdge["data"] & { node?: { x: number; y: number } }).node;
  return placed !== undefined && placed.x === node.position.x && placed.y === node.position.y;
}

function boxOf(node: Internal) {
  const { x, y } = node.internals.positionAbsolute;
  return { x, y, width: node.measured.width ?? node.width ?? 0, height: node.measured.height ?? node.height ?? 0 };
}

function isLit(nodes: Record<string, { state: string }>, source: string, target: string): boolean {
  const after = nodes[target]?.state;
  const before = nodes[source]?.state;
  const begun = source.endsWith("__start__");
  if (target.endsWith("__end__")) return false;
  return (begun || before === "done" || before === "running") && (after === "running" || after === "done" || after === "waiting");
}
