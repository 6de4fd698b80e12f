import "@xyflow/react/dist/style.css";
import {
  Background,
  BackgroundVariant,
  type Connection,
  MarkerType,
  MiniMap,
  ReactFlow,
  ReactFlowProvider,
  useReactFlow,
} from "@xyflow/react";
import { type ReactNode, type RefObject, useCallback, useEffect, useRef } from "react";
import { useT } from "@/i18n";
import { useStudio } from "@/studio/store";
import classes from "./Canvas.module.css";
import { ThreadEdge } from "./edges/ThreadEdge";
import type { FlowEdge, FlowNode } from "./model/flow";
import { EndNode, FoldNode, WorkNode } from "./nodes/WorkNode";
import { CanvasTools } from "./panels/CanvasTools";

const NODE_TYPES = { work: WorkNode, end: EndNode, fold: FoldNode };
const EDGE_TYPES = { thread: ThreadEdge };
const EDGE_DEFAULTS = {
  markerEnd: { type: MarkerType.ArrowClosed, width: 15, height: 15, color: "context-stroke" },
};
/** From here on only what is on screen is in the page. */
const MANY_NODES = 120;

interface Props {
  onSelect(id: string | null): void;
  onConnect?(source: string, target: string): void;
  onDelete?(ids: string[]): void;
  onKey?(event: React.KeyboardEvent): void;
  children?: ReactNode;
}

/** The picture of the workflow, which one can take hold of. */
export function Canvas(props: Props) {
  return (
    <ReactFlowProvider>
      <Surface {...props} />
    </ReactFlowProvider>
  );
}

function Surface({ onSelect, onConnect, onDelete, onKey, children }: Props) {
  const t = useT();
  const nodes = useStudio((state) => state.nodes);
  const edges = useStudio((state) => state.edges);
  const broken = useStudio((state) => state.broken);
  const changeNodes = useStudio((state) => state.changeNodes);
  const host = useRef<HTMLElement>(null);
  useFit(host);
  useInSight(host);

  const connect = useCallback(
    ({ source, target }: Connection) => onConnect?.(source, target),
    [onConnect],
  );
  const remove = useCallback(
    async ({ nodes, edges }: { nodes: FlowNode[]; edges: FlowEdge[] }) => {
      // The text decides what goes; the canvas only asks for it.
      onDelete?.(nodes.length > 0 ? nodes.map((node) => node.id) : edges.map((edge) => edge.id));
      return false;
    },
    [onDelete],
  );
  return (
    <section ref={host} className={classes.canvas} data-broken={broken || undefined} aria-label={t("studio.canvas")} onKeyDown={onKey}>
      <ReactFlow<FlowNode, FlowEdge>
        nodes={nodes}
        edges={edges}
        nodeTypes={NODE_TYPES}
        edgeTypes={EDGE_TYPES}
        defaultEdgeOptions={EDGE_DEFAULTS}
        onNodesChange={(changes) => changeNodes(withoutSelection(changes, onSelect))}
        onEdgesChange={(changes) => void withoutSelection(changes, onSelect)}
        onNodeClick={(_, node) => onSelect(node.id)}
        onEdgeClick={(_, edge) => onSelect(edge.id)}
        onPaneClick={() => onSelect(null)}
        onConnect={connect}
        nodesConnectable={onConnect !== undefined}
        onBeforeDelete={remove}
        deleteKeyCode={onDelete ? ["Delete", "Backspace"] : null}
        onlyRenderVisibleElements={nodes.length > MANY_NODES}
        minZoom={0.1}
        maxZoom={1.6}
        fitView
        fitViewOptions={FIT}
        proOptions={{ hideAttribution: true }}
        selectNodesOnDrag={false}
        zoomOnDoubleClick={false}
      >
        <Background variant={BackgroundVariant.Dots} gap={22} size={1.4} color="var(--grid)" />
        {nodes.length > 12 && (
          <MiniMap
            pannable
            zoomable
            className={classes.minimap}
            nodeBorderRadius={12}
            nodeColor="var(--line-strong)"
            maskColor="color-mix(in srgb, var(--bg) 65%, transparent)"
            ariaLabel={t("canvas.minimap")}
          />
        )}
        <CanvasTools />
        {children}
      </ReactFlow>
    </section>
  );
}

/** What is selected is kept once, in the store; the library only says what the keyboard chose. */
function withoutSelection<C extends { type: string }>(changes: C[], onSelect: (id: string) => void): C[] {
  const chosen = changes.find((change) => change.type === "select" && "selected" in change && change.selected);
  if (chosen && "id" in chosen) onSelect(chosen.id as string);
  return changes.filter((change) => change.type !== "select");
}

const FIT = { padding: 0.18, maxZoom: 1.05, duration: 0 };

/** Shows all of another graph, and in a pane of another size; while one types, the view stays where it is. */
function useFit(host: RefObject<HTMLElement | null>) {
  const { fitView } = useReactFlow();
  const graph = useStudio((state) => state.graphName);
  const unfolded = useStudio((state) => state.unfolded);
  const isEmpty = useStudio((state) => state.nodes.length === 0);
  useEffect(() => {
    if (isEmpty) return;
    // The nodes are in the page after this frame.
    const frame = requestAnimationFrame(() => void fitView(FIT));
    return () => cancelAnimationFrame(frame);
  }, [fitView, graph, unfolded, isEmpty]);
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => {
      // A pane out of sight has no size to fit into.
      if (entry && entry.contentRect.width > 0) requestAnimationFrame(() => void fitView(FIT));
    });
    observer.observe(host.current!);
    return () => observer.disconnect();
  }, [fitView, host]);
}

/** Below this nobody reads a name. */
const READABLE_ZOOM = 0.6;
/** What the panel of the selected node takes at the right; a narrower canvas has no room beside it. */
const PANEL_WIDTH = 302;
const ROOM_WIDTH = 520;

/** Brings what is selected into sight, beside its panel: it may be chosen in the code or the outline. */
function useInSight(host: RefObject<HTMLElement | null>) {
  const { getInternalNode, flowToScreenPosition, getViewport, setViewport, setCenter } = useReactFlow();
  const selected = useStudio((state) => state.selected);
  useEffect(() => {
    const node = selected === null ? undefined : getInternalNode(selected);
    if (!node || !host.current) return;
    const { x, y } = node.internals.positionAbsolute;
    const { width = 0, height = 0 } = node.measured;
    const start = flowToScreenPosition({ x, y });
    const end = flowToScreenPosition({ x: x + width, y: y + height });
    const { left, right, top, bottom } = host.current.getBoundingClientRect();
    const viewport = getViewport();
    const isSeen = end.x > left && start.x < right && end.y > top && start.y < bottom;
    if (!isSeen) {
      void setCenter(x + width / 2, y + height / 2, { zoom: Math.max(viewport.zoom, READABLE_ZOOM) });
      return;
    }
    const covered = end.x - (right - PANEL_WIDTH);
    if (covered > 0 && right - left > ROOM_WIDTH) void setViewport({ ...viewport, x: viewport.x - covered });
  }, [selected, getInternalNode, flowToScreenPosition, getViewport, setViewport, setCenter, host]);
}
