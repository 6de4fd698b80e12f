import { ActionIcon, Button, SegmentedControl, Select, Tooltip } from "@mantine/core";
import { IconChevronRight, IconCode, IconColumns2, IconListTree, IconPlayerPlayFilled, IconSchema } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { useT } from "@/i18n";
import { same } from "@/ui/JsonTree";
import classes from "./Studio.module.css";
import { shownGraph, useStudio, type View } from "./store";
import { WorkflowMenu } from "./WorkflowMenu";
import type { OpenWorkflow } from "./workflow";

interface Props {
  workflow: OpenWorkflow;
  panel: boolean;
  outline: boolean;
  onOutline(): void;
  onRun(): void;
  onSave(): Promise<void>;
  onSaved(saved: Partial<OpenWorkflow>): void;
}

const VIEWS = [
  { value: "code", icon: IconCode, label: "studio.code" },
  { value: "split", icon: IconColumns2, label: "studio.split" },
  { value: "canvas", icon: IconSchema, label: "studio.canvas" },
] as const;

export function StudioBar({ workflow, panel, outline, onOutline, onRun, onSave, onSaved }: Props) {
  const t = useT();
  const unsaved = useIsUnsaved(workflow);
  const view = useStudio((state) => state.view);
  const spec = useStudio((state) => state.spec);
  const graphName = useStudio((state) => state.graphName);
  const showGraph = useStudio((state) => state.showGraph);
  const graphs = spec?.graphs ?? [];
  return (
    <header className={classes.bar}>
      <div className={classes.crumbs}>
        <Link to="/workflows" className={classes.crumb}>
          {t("nav.workflows")}
        </Link>
        <IconChevronRight size={14} aria-hidden className={classes.crumbArrow} />
        <h1 className={classes.name}>{workflow.name}</h1>
        <SaveState workflow={workflow} />
        <WorkflowMenu workflow={workflow} unsaved={unsaved} onSaved={onSaved} />
      </div>
      <div className={classes.barTools} role="toolbar" aria-label={t("studio.tools")}>
        {graphs.length > 1 && (
          <Select
            size="xs"
            w={150}
            aria-label={t("studio.graph")}
            allowDeselect={false}
            value={shownGraph({ spec, graphName })?.name ?? null}
            onChange={(name) => name && showGraph(name)}
            data={graphs.map((graph) => ({ value: graph.name, label: graph.compiled[0] ?? graph.name }))}
          />
        )}
        <Tooltip label={t("studio.outline")}>
          <ActionIcon size={30} variant={outline ? "light" : "subtle"} onClick={onOutline} aria-label={t("studio.outline")} aria-pressed={outline}>
            <IconListTree size={17} stroke={1.7} />
          </ActionIcon>
        </Tooltip>
        <SegmentedControl
          size="xs"
          value={view}
          onChange={(value) => useStudio.setState({ view: value as View })}
          data={VIEWS.map(({ value, icon: Icon, label }) => ({
            value,
            label: (
              <span className={classes.viewChoice} title={t(label)}>
                <Icon size={16} stroke={1.7} aria-hidden />
                <span className="visually-hidden">{t(label)}</span>
              </span>
            ),
          }))}
        />
        <SaveButton workflow={workflow} onSave={onSave} />
        <Button leftSection={<IconPlayerPlayFilled size={13} />} onClick={onRun} variant={panel ? "light" : "filled"}>
          {t("studio.run")}
        </Button>
      </div>
    </header>
  );
}

function SaveState({ workflow }: { workflow: OpenWorkflow }) {
  const t = useT();
  const unsaved = useIsUnsaved(workflow);
  if (workflow.id === undefined) return <span className={classes.saveState}>{t("studio.draft")}</span>;
  return (
    <span className={classes.saveState} data-unsaved={unsaved || undefined}>
      {unsaved ? t("studio.unsaved") : t("studio.saved")}
    </span>
  );
}

function SaveButton({ workflow, onSave }: { workflow: OpenWorkflow; onSave(): Promise<void> }) {
  const t = useT();
  const unsaved = useIsUnsaved(workflow);
  const [busy, setBusy] = useState(false);
  if (workflow.id !== undefined && !unsaved) return null;
  return (
    <Button
      variant="default"
      loading={busy}
      onClick={() => {
        setBusy(true);
        void onSave().finally(() => setBusy(false));
      }}
    >
      {t("studio.save")}
    </Button>
  );
}

function useIsUnsaved(workflow: OpenWorkflow): boolean {
  return useStudio((state) => state.source !== workflow.source || !same(state.layout, workflow.layout));
}
