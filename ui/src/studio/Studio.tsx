import { Button, Loader } from "@mantine/core";
import { IconAlertTriangle, IconListTree, IconPlayerPlay, IconRoute } from "@tabler/icons-react";
import { useNavigate } from "@tanstack/react-router";
import { lazy, Suspense, useCallback, useEffect, useMemo, useState } from "react";
import { api } from "@/api/actions";
import { Refused } from "@/api/client";
import { Canvas } from "@/canvas/Canvas";
import { Outline } from "@/canvas/panels/Outline";
import { usePageCommands } from "@/components/commands";
import { say } from "@/components/say";
import { useT } from "@/i18n";
import { Empty } from "@/ui/Empty";
import { Split } from "@/ui/Split";
import { drawnAt, rangeOf } from "./linked";
import { Problems } from "./Problems";
import { RunPanel } from "./run/RunPanel";
import { Scrubber } from "./Scrubber";
import classes from "./Studio.module.css";
import { StudioBar } from "./StudioBar";
import { shownGraph, useStudio } from "./store";
import { useLiveParse } from "./useLiveParse";
import { useRun } from "./useRun";
import type { OpenWorkflow } from "./workflow";

const CodeEditor = lazy(() => import("./CodeEditor"));

interface Props {
  workflow: OpenWorkflow;
  runId: string | undefined;
}

/** One workflow open: code, canvas and run beside each other. */
export function Studio({ workflow, runId }: Props) {
  const t = useT();
  const navigate = useNavigate();
  const view = useStudio((state) => state.view);
  const [panel, setPanel] = useState(runId !== undefined);
  const [outline, setOutline] = useState(false);
  const [starting, setStarting] = useState(false);
  const { execution, stream } = useRun(runId);
  useLiveParse();
  useEffect(() => {
    if (runId !== undefined) setPanel(true);
  }, [runId]);

  const start = useCallback(
    async (input: Record<string, unknown>) => {
      setStarting(true);
      try {
        const { file, source, spec, graphName, breakpoints } = useStudio.getState();
        const graph = shownGraph({ spec, graphName })?.compiled[0];
        const { script } = workflow;
        const submitted = await api.submit({
          workflow: { file, source, ...(graph && { graph }), ...(script && { script }) },
          input,
          ...(breakpoints.size > 0 && { breakpoints: { before: [...breakpoints] } }),
        } as Parameters<typeof api.submit>[0]);
        await navigate({ to: ".", search: (old) => ({ ...old, run: submitted.execution_id }), replace: runId !== undefined });
      } catch (error) {
        say.trouble(error instanceof Refused ? error.message : t("error.unreachable"));
      } finally {
        setStarting(false);
      }
    },
    [navigate, runId, t, workflow],
  );

  const choose = useCallback((id: string | null) => {
    const state = useStudio.getState();
    state.select(id);
    const range = id === null ? undefined : rangeOf(state, id);
    if (range) state.editor?.reveal(range.start, range.end);
  }, []);

  usePageCommands(
    useMemo(
      () => [
        { id: "run", label: t("studio.run"), icon: IconPlayerPlay, run: () => setPanel(true) },
        { id: "outline", label: t("studio.outline"), icon: IconListTree, run: () => setOutline((shown) => !shown) },
      ],
      [t],
    ),
  );

  const code = <CodePane key={workflow.key} workflow={workflow} />;
  const canvas = <CanvasPane outline={outline} onSelect={choose} />;
  return (
    <div className={classes.studio} data-panel={panel || undefined}>
      <StudioBar
        workflow={workflow}
        panel={panel}
        outline={outline}
        onOutline={() => setOutline(!outline)}
        onRun={() => setPanel(true)}
      />
      <div className={classes.work}>
        <div className={classes.main}>
          {view === "code" && code}
          {view === "canvas" && canvas}
          {view === "split" && (
            <Split id="studio" label={t("studio.resize")} initial={0.46}>
              {code}
              {canvas}
            </Split>
          )}
        </div>
        {panel && (
          <div className={classes.side}>
            <RunPanel
              key={workflow.key}
              execution={execution}
              stream={stream}
              starting={starting}
              sample={workflow.input}
              onStart={start}
              onClose={() => setPanel(false)}
            />
          </div>
        )}
      </div>
    </div>
  );
}

function CodePane({ workflow }: { workflow: OpenWorkflow }) {
  const t = useT();
  const problems = useStudio((state) => state.problems);
  const typed = useStudio((state) => state.typed);
  const follow = useCallback((offset: number) => {
    const state = useStudio.getState();
    const id = drawnAt(state, shownGraph(state), offset);
    if (id !== undefined && id !== state.selected) state.select(id);
  }, []);
  // What is in the store survives a change of the view; the first text is the workflow's.
  const initial = useStudio.getState().source || workflow.source;
  return (
    <section className={classes.code} aria-label={t("studio.code")}>
      <div className={classes.editor}>
        <Suspense
          fallback={
            <div className={classes.loading}>
              <Loader size="sm" aria-label={t("studio.loadingEditor")} />
            </div>
          }
        >
          <CodeEditor
            initial={initial}
            problems={problems}
            onReady={(editor) => useStudio.setState({ editor })}
            onText={typed}
            onCursor={follow}
          />
        </Suspense>
      </div>
      <Problems />
    </section>
  );
}

function CanvasPane({ outline, onSelect }: { outline: boolean; onSelect(id: string | null): void }) {
  const t = useT();
  const broken = useStudio((state) => state.broken);
  const isEmpty = useStudio((state) => state.spec !== null && state.nodes.length === 0);
  const error = useStudio((state) => state.problems.find((problem) => problem.code === "syntax_error"));
  return (
    <div className={classes.canvasPane}>
      {outline && (
        <div className={classes.outlinePane}>
          <Outline onSelect={onSelect} />
        </div>
      )}
      <div className={classes.surface}>
        {broken && error && (
          <div className={classes.brokenNote} role="status">
            <IconAlertTriangle size={16} aria-hidden />
            <span>{t("studio.broken", { message: error.message, line: error.line })}</span>
            <Button
              size="compact-xs"
              variant="default"
              onClick={() => useStudio.getState().editor?.goTo(error.line, error.column)}
            >
              {t("problems.show")}
            </Button>
          </div>
        )}
        {isEmpty ? (
          <Empty icon={IconRoute} title={t("studio.empty")} text={t("studio.emptyHint")} />
        ) : (
          <Canvas onSelect={onSelect} />
        )}
        <Scrubber />
      </div>
    </div>
  );
}
