import { Tooltip } from "@mantine/core";
import { IconAlertTriangleFilled, IconCheck, IconChevronDown, IconHandStop, IconX } from "@tabler/icons-react";
import { Handle, type NodeProps, Position } from "@xyflow/react";
import { memo } from "react";
import { useT } from "@/i18n";
import { useStudio } from "@/studio/store";
import { duration } from "@/util/format";
import type { FlowNode } from "../model/flow";
import type { NodeRun } from "../model/run";
import { LOOK } from "./look";
import classes from "./nodes.module.css";

/** A step of the workflow: what kind of work, its name, what it does, how it stands. */
export const WorkNode = memo(function WorkNode({ id, data: { node }, selected }: NodeProps<FlowNode>) {
  const t = useT();
  const run = useStudio((state) => state.run.nodes[id]);
  const stopsBefore = useStudio((state) => state.breakpoints.before.has(id));
  const stopsAfter = useStudio((state) => state.breakpoints.after.has(id));
  const fold = useStudio((state) => state.fold);
  const { icon: Icon, label } = LOOK[node.kind];
  return (
    <div className={classes.node} data-kind={node.kind} data-state={run?.state ?? "idle"} data-selected={selected || undefined}>
      <Handle type="target" position={Position.Top} className={classes.handle} />
      {stopsBefore && <span className={classes.breakpoint} data-when="before" title={t("canvas.stopsBefore")} />}
      {stopsAfter && <span className={classes.breakpoint} data-when="after" title={t("canvas.stopsAfter")} />}
      <span className={classes.icon}>
        <Icon size={17} stroke={1.7} aria-label={t(label)} />
      </span>
      <span className={classes.words}>
        <span className={classes.name}>{node.name}</span>
        {node.detail && <span className={classes.detail}>{node.detail}</span>}
      </span>
      {node.trouble && (
        <Tooltip label={node.trouble} multiline maw={320}>
          <IconAlertTriangleFilled size={14} className={classes.trouble} aria-label={node.trouble} />
        </Tooltip>
      )}
      {node.graph !== undefined && (
        <button
          type="button"
          className={classes.unfold}
          onClick={(event) => {
            event.stopPropagation();
            fold(id);
          }}
          aria-label={t("canvas.unfold", { name: node.name })}
          aria-expanded={false}
        >
          <IconChevronDown size={15} />
        </button>
      )}
      {run && <Badge run={run} />}
      <Handle type="source" position={Position.Bottom} className={classes.handle} />
    </div>
  );
});

function Badge({ run }: { run: NodeRun }) {
  const t = useT();
  if (run.state === "idle") return null;
  const many = run.runs > 1 ? ` ×${run.runs}` : "";
  return (
    <span className={classes.badge} data-state={run.state} title={t(`nodeState.${run.state}`)}>
      {run.state === "running" && <span className={classes.spinner} role="img" aria-label={t("nodeState.running")} />}
      {run.state === "done" && <IconCheck size={11} stroke={3} aria-label={t("nodeState.done")} />}
      {run.state === "failed" && <IconX size={11} stroke={3} aria-label={t("nodeState.failed")} />}
      {run.state === "waiting" && <IconHandStop size={11} stroke={2.4} aria-label={t("nodeState.waiting")} />}
      {run.state === "running" ? many : run.durationUs > 0 ? `${duration(run.durationUs)}${many}` : many}
    </span>
  );
}

/** Where a graph begins and ends. */
export const EndNode = memo(function EndNode({ data: { node } }: NodeProps<FlowNode>) {
  const t = useT();
  const { icon: Icon, label } = LOOK[node.kind];
  return (
    <div className={classes.end} data-kind={node.kind}>
      {node.kind === "end" && <Handle type="target" position={Position.Top} className={classes.handle} />}
      <Icon size={13} stroke={1.8} aria-hidden />
      {t(label)}
      {node.kind === "start" && <Handle type="source" position={Position.Bottom} className={classes.handle} />}
    </div>
  );
});

/** A subgraph that shows what is inside. */
export const FoldNode = memo(function FoldNode({ id, data: { node }, selected }: NodeProps<FlowNode>) {
  const t = useT();
  const run = useStudio((state) => state.run.nodes[id]);
  const fold = useStudio((state) => state.fold);
  return (
    <div className={classes.fold} data-state={run?.state ?? "idle"} data-selected={selected || undefined}>
      <Handle type="target" position={Position.Top} className={classes.handle} />
      <header className={classes.foldHeader}>
        <span className={classes.name}>{node.name}</span>
        <button
          type="button"
          className={classes.unfold}
          onClick={(event) => {
            event.stopPropagation();
            fold(id);
          }}
          aria-label={t("canvas.fold", { name: node.name })}
          aria-expanded
        >
          <IconChevronDown size={15} style={{ transform: "rotate(180deg)" }} />
        </button>
      </header>
      {run && <Badge run={run} />}
      <Handle type="source" position={Position.Bottom} className={classes.handle} />
    </div>
  );
});
