import { Button, JsonInput, Select } from "@mantine/core";
import { IconGitFork, IconHistory } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { api } from "@/api/actions";
import { Refused } from "@/api/client";
import { checkpointsQuery, stateQuery } from "@/api/queries";
import { START } from "@/api/spec";
import type { Checkpoint, Execution } from "@/api/types";
import { type Translate, useSpeech } from "@/i18n";
import { execution as route } from "@/routes";
import { Empty } from "@/ui/Empty";
import { clock } from "@/util/format";
import classes from "./History.module.css";
import { Branches } from "./Branches";
import { Loading } from "./Loading";
import { say } from "./say";
import { StateTree } from "./StateTree";
import { Trouble } from "./Trouble";

/** The past of a run: its checkpoints as a tree, the state at each, and a way to go on from there. */
export function History({ execution }: { execution: Execution }) {
  const { t } = useSpeech();
  const navigate = useNavigate();
  const { at, with: other } = route.useSearch();
  const { data, error, refetch } = useQuery(checkpointsQuery(execution.id));
  if (error) return <Trouble error={error} retry={() => void refetch()} />;
  if (!data) return <Loading />;
  const checkpoints = data.items.filter((checkpoint) => checkpoint.namespace === "");
  if (checkpoints.length === 0) return <Empty icon={IconHistory} title={t("run.nothingYet")} />;
  const shown = checkpoints.find((checkpoint) => checkpoint.id === at) ?? checkpoints.at(-1)!;
  const compared = other ?? shown.parent ?? undefined;
  const go = (search: { at?: string; with?: string }) =>
    void navigate({ to: ".", search: (old) => ({ ...old, ...search }), replace: true });
  return (
    <>
      <Branches execution={execution} />
      <div className={classes.history}>
        <ol className={classes.list} aria-label={t("history.checkpoints")}>
          {checkpoints.map((checkpoint) => (
            <Moment
              key={checkpoint.id}
              checkpoint={checkpoint}
              depth={depthOf(checkpoint, checkpoints)}
              chosen={checkpoint.id === shown.id}
              onChoose={() => go({ at: checkpoint.id, with: undefined })}
            />
          ))}
        </ol>
        <div className={classes.state}>
          <div className={classes.tools}>
            <Select
              size="xs"
              w={260}
              label={t("history.comparedWith")}
              value={compared ?? null}
              placeholder={t("common.none")}
              onChange={(value) => go({ with: value ?? undefined })}
              data={checkpoints
                .filter((checkpoint) => checkpoint.id !== shown.id)
                .map((checkpoint) => ({ value: checkpoint.id, label: `${checkpoint.step < 0 ? "" : `${checkpoint.step} · `}${nameOf(checkpoint, t)}` }))}
            />
          </div>
          <State execution={execution.id} at={shown.id} before={compared} />
          <Fork execution={execution.id} checkpoint={shown} />
        </div>
      </div>
    </>
  );
}

interface MomentProps {
  checkpoint: Checkpoint;
  depth: number;
  chosen: boolean;
  onChoose(): void;
}

function Moment({ checkpoint, depth, chosen, onChoose }: MomentProps) {
  const { t, locale } = useSpeech();
  return (
    <li>
      <button
        type="button"
        className={classes.moment}
        aria-pressed={chosen}
        style={{ marginLeft: depth * 18 }}
        onClick={onChoose}
      >
        <span className={classes.step}>{checkpoint.step < 0 ? "·" : checkpoint.step}</span>
        <span className={classes.what}>{nameOf(checkpoint, t)}</span>
        <span className={classes.time}>{clock(checkpoint.created_at, locale)}</span>
      </button>
    </li>
  );
}

/** What made the checkpoint, in a word. */
function nameOf(checkpoint: Checkpoint, t: Translate): string {
  const wrote = [...new Set(checkpoint.writes_by)].filter((node) => node !== START);
  if (wrote.length > 0) return wrote.join(", ");
  if (checkpoint.source === "input") return t("history.input");
  if (checkpoint.source === "update") return t("history.edited");
  if (checkpoint.source === "fork") return t("history.fork");
  return t("node.start");
}

/** How many branches lie between the checkpoint and the first line of the past. */
function depthOf(checkpoint: Checkpoint, all: Checkpoint[]): number {
  const byId = new Map(all.map((other) => [other.id, other]));
  let depth = 0;
  for (let at: Checkpoint | undefined = checkpoint; at?.parent; at = byId.get(at.parent)) {
    const { parent, id } = at;
    const first = all.find((other) => other.parent === parent);
    if (first && first.id !== id) depth += 1;
  }
  return depth;
}

function State({ execution, at, before }: { execution: string; at: string; before: string | undefined }) {
  const shown = useQuery(stateQuery(execution, at));
  const earlier = useQuery(stateQuery(execution, before));
  if (shown.error) return <Trouble error={shown.error} />;
  if (!shown.data) return <Loading rows={3} />;
  if (!earlier.data) return <StateTree key={at} values={shown.data.values} />;
  return <StateTree key={`${at}.${before}`} values={earlier.data.values} other={{ values: shown.data.values }} />;
}

/** Runs on from a checkpoint with other values, as a run of its own; this one stays as it is. */
function Fork({ execution, checkpoint }: { execution: string; checkpoint: Checkpoint }) {
  const { t } = useSpeech();
  const navigate = useNavigate();
  const [text, setText] = useState("");
  const [busy, setBusy] = useState(false);
  const fork = async () => {
    setBusy(true);
    try {
      const values: unknown = text.trim() === "" ? undefined : JSON.parse(text);
      const made = await api.fork(execution, { at: checkpoint.id, values });
      await navigate({ to: "/executions/$id", params: { id: made.execution_id }, search: { tab: "history" } });
    } catch (error) {
      if (error instanceof SyntaxError) say.trouble(t("form.notJson"));
      else say.trouble(error instanceof Refused ? error.message : t("error.unreachable"));
    } finally {
      setBusy(false);
    }
  };
  return (
    <form
      className={classes.fork}
      onSubmit={(event) => {
        event.preventDefault();
        void fork();
      }}
    >
      <JsonInput
        label={t("history.forkValues")}
        description={t("history.forkHint", { example: '{"amount": 20}' })}
        autosize
        minRows={2}
        maxRows={10}
        value={text}
        onChange={setText}
        validationError={t("form.notJson")}
        styles={{ input: { fontFamily: "var(--font-code)", fontSize: 12.5 } }}
      />
      <Button type="submit" mt="sm" loading={busy} leftSection={<IconGitFork size={15} />}>
        {t("history.forkHere")}
      </Button>
    </form>
  );
}
