import { Button, SegmentedControl } from "@mantine/core";
import { IconRotateClockwise } from "@tabler/icons-react";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "@/api/actions";
import { workflowQuery } from "@/api/queries";
import type { Difference, Execution, ReplayReport } from "@/api/types";
import { useSpeech } from "@/i18n";
import { StateTree } from "./StateTree";
import classes from "./Replay.module.css";
import { Trouble } from "./Trouble";

/** Goes through a run again with the answers that it had, and says what is not as it was. Nothing is asked or paid. */
export function Replay({ execution }: { execution: Execution }) {
  const { t } = useSpeech();
  const [text, setText] = useState<"ran" | "newest">("ran");
  const kept = execution.workflow_id ?? undefined;
  const workflow = useQuery({ ...workflowQuery(kept ?? ""), enabled: kept !== undefined });
  const { data, error, isPending, mutate } = useMutation({
    mutationFn: () => {
      const { file, source, script } = workflow.data ?? {};
      const newest = text === "newest" && file !== undefined && source != null ? { file, source, script } : undefined;
      return api.replay(execution.id, { workflow: newest });
    },
  });
  return (
    <div className={classes.replay}>
      <p className={classes.lead}>{t("replay.lead")}</p>
      <div className={classes.tools}>
        {workflow.data?.source && (
          <SegmentedControl
            size="xs"
            aria-label={t("replay.text")}
            value={text}
            onChange={(value) => setText(value as typeof text)}
            data={[
              { value: "ran", label: t("replay.ran") },
              { value: "newest", label: t("replay.newest") },
            ]}
          />
        )}
        <Button leftSection={<IconRotateClockwise size={15} />} loading={isPending} onClick={() => mutate()}>
          {t("replay.start")}
        </Button>
      </div>
      {error && <Trouble error={error} />}
      {data && <Report report={data} />}
    </div>
  );
}

function Report({ report }: { report: ReplayReport }) {
  const { t } = useSpeech();
  const served = Object.values(report.served).reduce((sum, number) => sum + number, 0);
  return (
    <>
      <p className={classes.verdict} data-equal={report.equal || undefined} role="status">
        {report.equal
          ? t("replay.equal", { checkpoints: report.same_checkpoints, calls: served })
          : t("replay.differs", { count: report.differences.length, checkpoints: report.same_checkpoints })}
      </p>
      <ol className={classes.differences}>
        {report.differences.map((difference, at) => (
          <Different key={`${difference.step}.${difference.kind}.${at}`} difference={difference} />
        ))}
      </ol>
    </>
  );
}

const KINDS = ["call_not_recorded", "call_changed", "call_not_made", "wrote", "state", "next", "shorter", "longer", "outcome"] as const;

function Different({ difference }: { difference: Difference }) {
  const { t } = useSpeech();
  const { step, node, kind, what, file, line, recorded, now } = difference;
  const known = KINDS.find((name) => name === kind);
  return (
    <li className={classes.difference}>
      <p className={classes.head}>
        <span className={classes.step}>{t("run.step", { step })}</span>
        {node && <strong>{node}</strong>}
        <span>{known ? t(`replay.kind.${known}`) : kind}</span>
        {what && <code>{what}</code>}
        {line != null && (
          <code className={classes.place}>
            {file}:{line}
          </code>
        )}
      </p>
      {(recorded !== undefined || now !== undefined) && (
        <StateTree values={{ [what ?? ""]: recorded }} other={{ values: { [what ?? ""]: now } }} />
      )}
    </li>
  );
}
