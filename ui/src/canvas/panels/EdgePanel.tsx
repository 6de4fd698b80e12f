import { ActionIcon, Tooltip } from "@mantine/core";
import { IconArrowRight, IconTrash, IconX } from "@tabler/icons-react";
import { Panel } from "@xyflow/react";
import { END, START } from "@/api/spec";
import { useT } from "@/i18n";
import { nameOf } from "@/studio/place";
import { useStudio } from "@/studio/store";
import type { CanvasEdits } from "@/studio/useCanvasEdits";
import classes from "./panels.module.css";
import { WaysEditor } from "./WaysEditor";

/** The selected arrow: to delete it, lead it elsewhere, or change what decides about it. */
export function EdgePanel({ edits, onClose }: { edits: CanvasEdits; onClose(): void }) {
  const t = useT();
  const edge = useStudio((state) => state.edges.find((edge) => edge.id === state.selected)?.data?.edge);
  if (!edge) return null;
  const word = (id: string) => {
    const name = nameOf(id);
    return name === START ? t("node.start") : name === END ? t("node.end") : name;
  };
  const title = t("panel.edge", { source: word(edge.source), target: word(edge.target) });
  return (
    <Panel position="top-right" className={classes.panel}>
      <section aria-label={title}>
        <header className={classes.panelHeader}>
          <IconArrowRight size={16} stroke={1.7} aria-hidden />
          <span className={classes.panelKind}>{title}</span>
          <Tooltip label={t("panel.deleteEdge")}>
            <ActionIcon onClick={() => void edits.remove([edge.id])} aria-label={t("panel.deleteEdge")} size={26}>
              <IconTrash size={15} stroke={1.7} />
            </ActionIcon>
          </Tooltip>
          <ActionIcon onClick={onClose} aria-label={t("common.close")} size={26}>
            <IconX size={15} />
          </ActionIcon>
        </header>
        <div className={classes.panelBody}>
          {edge.kind === "command" || edge.kind === "send" ? (
            <p className={classes.note}>{t(`panel.${edge.kind}`)}</p>
          ) : (
            <WaysEditor key={edge.source} id={edge.source} edits={edits} />
          )}
        </div>
      </section>
    </Panel>
  );
}
