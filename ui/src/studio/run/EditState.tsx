import { Button } from "@mantine/core";
import { IconGitFork, IconPencilCheck } from "@tabler/icons-react";
import { useQueryClient } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { api } from "@/api/actions";
import { Refused } from "@/api/client";
import type { GraphSpec, JsonSchema } from "@/api/spec";
import type { Execution } from "@/api/types";
import { useT } from "@/i18n";
import { same } from "@/ui/JsonTree";
import { SchemaForm } from "@/ui/SchemaForm";
import { shownGraph, useStudio } from "../store";
import { ModelField } from "./ModelField";
import classes from "./run.module.css";

/** Goes on from a checkpoint with other values, as a run of its own. */
export type Forking = (run: string, checkpoint: string, values: Record<string, unknown>) => Promise<void>;

interface Props {
  execution: Execution;
  /** The state as it is at that moment. */
  values: Record<string, unknown>;
  checkpoint: string | undefined;
  /** It is the newest state of the run. */
  isNow: boolean;
  onFork: Forking;
  onClose(): void;
}

/** The state as a form: a run that stands still goes on with it, and from any moment a new one does. */
export function EditState({ execution, values, checkpoint, isNow, onFork, onClose }: Props) {
  const t = useT();
  const client = useQueryClient();
  const spec = useStudio((state) => state.spec);
  const graphName = useStudio((state) => state.graphName);
  const [edited, setEdited] = useState(values);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string>();
  const graph = shownGraph({ spec, graphName });
  const schema = useMemo(() => schemaOf(values, graph, spec?.schemas), [values, graph, spec]);
  const changes = changesOf(values, edited, graph);
  const unchanged = Object.keys(changes).length === 0;
  const standsStill = isNow && (execution.status === "waiting" || execution.status === "paused");

  const act = async (ask: () => Promise<unknown>) => {
    setBusy(true);
    setProblem(undefined);
    try {
      await ask();
      onClose();
    } catch (error) {
      setProblem(error instanceof Refused ? error.message : t("error.unreachable"));
    } finally {
      setBusy(false);
      void client.invalidateQueries({ queryKey: ["execution", execution.id] });
    }
  };
  const change = () => act(async () => useStudio.getState().stood(await api.changeState(execution.id, changes)));
  const fork = () => act(() => onFork(execution.id, checkpoint!, changes));
  return (
    <form
      className={classes.form}
      aria-label={t("run.editState")}
      onSubmit={(event) => {
        event.preventDefault();
        if (busy) return;
        if (!standsStill) void fork();
        else if (!unchanged) void change();
      }}
    >
      <SchemaForm schema={schema} value={edited} onChange={setEdited} />
      {!standsStill && <ModelField />}
      {problem && (
        <p className={classes.refused} role="alert">
          {problem}
        </p>
      )}
      <div className={classes.editFoot}>
        <p className={classes.hint}>{standsStill ? (unchanged ? t("run.unchanged") : t("run.changeHint")) : t("run.forkHint")}</p>
        <div className={classes.foot}>
          {standsStill && (
            <Button type="submit" disabled={busy || unchanged} leftSection={<IconPencilCheck size={15} />}>
              {t("run.changeState")}
            </Button>
          )}
          {checkpoint && (
            <Button
              type={standsStill ? "button" : "submit"}
              variant={standsStill ? "default" : "filled"}
              disabled={busy}
              leftSection={<IconGitFork size={15} />}
              onClick={standsStill ? () => void fork() : undefined}
            >
              {t("run.forkHere")}
            </Button>
          )}
          <Button variant="subtle" onClick={onClose}>
            {t("common.cancel")}
          </Button>
        </div>
      </div>
    </form>
  );
}

/** The state's own schema; keys that it does not know are typed as JSON. */
function schemaOf(values: Record<string, unknown>, graph: GraphSpec | undefined, schemas: { name: string; json_schema: unknown }[] | undefined): JsonSchema {
  const found = schemas?.find((schema) => schema.name === graph?.state.schema)?.json_schema as JsonSchema | undefined;
  const others = Object.keys(values).filter((key) => found?.properties?.[key] === undefined);
  return { ...found, required: [], properties: { ...found?.properties, ...Object.fromEntries(others.map((key) => [key, {}])) } };
}

/** What is to be written: a value as it stands, also where writes are merged. */
function changesOf(before: Record<string, unknown>, after: Record<string, unknown>, graph: GraphSpec | undefined): Record<string, unknown> {
  const merged = new Set(graph?.state.fields.filter((field) => field.reducer).map((field) => field.name));
  const changed = Object.entries(after).filter(([key, value]) => !same(before[key], value));
  return Object.fromEntries(changed.map(([key, value]) => [key, merged.has(key) ? { $type: "overwrite", value } : value]));
}
