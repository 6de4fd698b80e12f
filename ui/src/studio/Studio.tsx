import { Button, Loader } from "@mantine/core";
import { IconAlertTriangle, IconBraces, IconDeviceFloppy, IconListTree, IconPlayerPlay, IconRoute } from "@tabler/icons-react";
import { useNavigate } from "@tanstack/react-router";
import { Panel } from "@xyflow/react";
import { lazy, Suspense, useCallback, useEffect, useMemo, useState } from "react";
import { api } from "@/api/actions";
import { Refused } from "@/api/client";
import { Canvas } from "@/canvas/Canvas";
import { AddNode } from "@/canvas/panels/AddNode";
import { EdgePanel } from "@/canvas/panels/EdgePanel";
import { NodePanel } from "@/canvas/panels/NodePanel";
import { Outline } from "@/canvas/panels/Outline";
import { StatePanel } from "@/canvas/panels/StatePanel";
import { usePageCommands } from "@/components/commands";
import { say } from "@/components/say";
import { useT } from "@/i18n";
import { Empty } from "@/ui/Empty";
import { Split } from "@/ui/Split";
import { EditPreview } from "./EditPreview";
import { drawnAt, rangeOf } from "./linked";
import { Problems } from "./Problems";
import { RunPanel } from "./run/RunPanel";
import { Scrubber } from "./Scrubber";
import classes from "./Studio.module.css";
import { StudioBar } from "./StudioBar";
import { breakpointsOf, shownGraph, useStudio } from "./store";
import { useCanvasEdits } from "./useCanvasEdits";
import { useLiveParse } from "./useLiveParse";
import { useRun } from "./useRun";
import { useSave } from "./useSave";
import { drafts, type OpenWorkflow } from "./workflow";

const CodeEditor = lazy(() => import("./CodeEditor"));

interface Props {
  workflow: OpenWorkflow;
  runId: string | undefined;
  onSaved(saved: Partial<OpenWorkflow>): void;
}

/** One workflow open: code, canvas and run beside each other. */
export function Studio({ workflow, runId, onSaved }: Props) {
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
        const { file, source, spec, graphName, breakpoints, model: wanted } = useStudio.getState();
        const graph = shownGraph({ spec, graphName })?.compiled[0];
        const model = wanted.trim() || undefined;
        const { id, script } = workflow;
        const stops = breakpointsOf(breakpoints);
        // What is on screen is what runs; saved or not.
        const asSaved = id !== undefined && source === workflow.source && graphName === null;
        const submitted = asSaved
          ? await api.execute(id, { input, model, breakpoints: stops })
          : await api.submit({ workflow: { file, source, graph, script }, input, model, priority: 5, breakpoints: stops });
        await navigate({ to: ".", search: (old) => ({ ...old, run: submitted.execution_id }), replace: runId !== undefined });
      } catch (error) {
        say.trouble(error instanceof Refused ? error.message : t("error.unreachable"));
      } finally {
        setStarting(false);
      }
    },
    [navigate, runId, t, workflow],
  );

  const rerun = useCallback(
    async (id: string) => {
      const { file, source, spec, graphName } = useStudio.getState();
      const graph = shownGraph({ spec, graphName })?.compiled[0];
      const again = await api.rerun(id, { workflow: { file, source, graph, script: workflow.script } });
      await navigate({ to: ".", search: (old) => ({ ...old, run: again.execution_id }), replace: true });
    },
    [navigate, workflow],
  );

  const fork = useCallback(
    async (id: string, at: string, values: Record<string, unknown>) => {
      const { file, source, spec, graphName, breakpoints, model } = useStudio.getState();
      const graph = shownGraph({ spec, graphName })?.compiled[0];
      // A prompt that was changed since is part of what is tried out.
      const again = await api.fork(id, {
        at,
        values: Object.keys(values).length === 0 ? undefined : values,
        workflow: { file, source, graph, script: workflow.script },
        model: model.trim() || undefined,
        breakpoints: breakpointsOf(breakpoints),
      });
      await navigate({ to: ".", search: (old) => ({ ...old, run: again.execution_id }) });
    },
    [navigate, workflow],
  );

  const choose = useCallback((id: string | null) => {
    const state = useStudio.getState();
    state.select(id);
    const range = id === null ? undefined : rangeOf(state, id);
    if (range) state.editor?.reveal(range.start, range.end);
  }, []);

  const { save, conflict } = useSave(workflow, onSaved);
  // A file of a folder is changed by the canvas itself, as it is by the user's own editor.
  const edited = useCallback(
    (before: string) => {
      if (workflow.path !== undefined && before === workflow.source) void save(true);
    },
    [workflow, save],
  );
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if (!(event.metaKey || event.ctrlKey) || event.key.toLowerCase() !== "s") return;
      event.preventDefault();
      void save();
    };
    addEventListener("keydown", listen);
    return () => removeEventListener("keydown", listen);
  }, [save]);

  usePageCommands(
    useMemo(
      () => [
        { id: "save", label: t("studio.save"), icon: IconDeviceFloppy, keys: "Ctrl S", run: () => void save() },
        { id: "run", label: t("studio.run"), icon: IconPlayerPlay, run: () => setPanel(true) },
        { id: "outline", label: t("studio.outline"), icon: IconListTree, run: () => setOutline((shown) => !shown) },
      ],
      [t, save],
    ),
  );

  return (
    <div className={classes.studio} data-panel={panel || undefined}>
      <StudioBar
        workflow={workflow}
        panel={panel}
        outline={outline}
        onOutline={() => setOutline(!outline)}
        onRun={() => setPanel(true)}
        onSave={() => save()}
        onSaved={onSaved}
      />
      {conflict}
      <div className={classes.work}>
        <div className={classes.main}>
          <Split
            id="studio"
            label={t("studio.resize")}
            initial={0.46}
            shown={view === "split" ? "both" : view === "code" ? "first" : "second"}
          >
            <CodePane key={workflow.key} workflow={workflow} />
            <CanvasPane outline={outline} onSelect={choose} onEdited={edited} />
          </Split>
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
              onRerun={rerun}
              onFork={fork}
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
  // The editor keeps its text from here on; another text comes as another workflow.
  const [initial] = useState(() => useStudio.getState().source || workflow.source);
  const typed = useCallback(
    (source: string) => {
      useStudio.getState().typed(source);
      if (source === workflow.source) drafts.drop(workflow.key);
      else drafts.keep(workflow.key, source);
    },
    [workflow.key, workflow.source],
  );
  const follow = useCallback((offset: number) => {
    const state = useStudio.getState();
    const id = drawnAt(state, offset);
    if (id !== undefined && id !== state.selected) state.select(id);
  }, []);
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

interface CanvasProps {
  outline: boolean;
  onSelect(id: string | null): void;
  /** An edit was made; the text before it. */
  onEdited(before: string): void;
}

function CanvasPane({ outline, onSelect, onEdited }: CanvasProps) {
  const t = useT();
  const edits = useCanvasEdits(onEdited);
  const [adding, setAdding] = useState(false);
  const [fields, setFields] = useState(false);
  const selected = useStudio((state) => state.selected);
  useEffect(() => {
    // What is selected is what one wants to see.
    if (selected !== null) setFields(false);
  }, [selected]);
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
          <Canvas
            onSelect={onSelect}
            onConnect={edits.connect}
            onDelete={edits.remove}
            onKey={(event) => onKey(event, () => setAdding(true))}
          >
            <Panel position="top-left" className={classes.canvasBar}>
              <AddNode open={adding} onOpen={setAdding} onAdd={edits.add} />
              <Button
                variant="default"
                leftSection={<IconBraces size={15} />}
                aria-expanded={fields}
                onClick={() => {
                  onSelect(null);
                  setFields(!fields);
                }}
              >
                {t("run.state")}
              </Button>
            </Panel>
            {fields ? (
              <StatePanel edits={edits} onClose={() => setFields(false)} />
            ) : (
              <>
                <NodePanel edits={edits} onClose={() => onSelect(null)} />
                <EdgePanel edits={edits} onClose={() => onSelect(null)} />
              </>
            )}
          </Canvas>
        )}
        <Scrubber />
        <EditPreview />
      </div>
    </div>
  );
}

/** One undo stack for code and canvas: the editor's. */
function onKey(event: React.KeyboardEvent, add: () => void) {
  const target = event.target as HTMLElement;
  if (target.closest("input, textarea, [contenteditable], [role=dialog]") || event.nativeEvent.isComposing) return;
  const { editor } = useStudio.getState();
  const isCommand = event.metaKey || event.ctrlKey;
  if (isCommand && event.key.toLowerCase() === "z") {
    event.preventDefault();
    if (event.shiftKey) editor?.redo();
    else editor?.undo();
  } else if (isCommand && event.key.toLowerCase() === "y") {
    event.preventDefault();
    editor?.redo();
  } else if (!isCommand && event.key.toLowerCase() === "a") {
    event.preventDefault();
    add();
  }
}
