import { ActionIcon, Select, Switch, Tooltip } from "@mantine/core";
import { IconBraces, IconPencil } from "@tabler/icons-react";
import { useState } from "react";
import { useT } from "@/i18n";
import { Empty } from "@/ui/Empty";
import { JsonTree } from "@/ui/JsonTree";
import type { Execution } from "@/api/types";
import { useStudio } from "../store";
import { EditState, type Forking } from "./EditState";
import classes from "./run.module.css";

interface Props {
  execution: Execution | undefined;
  onFork: Forking;
}

/** The state as a tree; at any step, with what that step changed, and a way to change it. */
export function RunState({ execution, onFork }: Props) {
  const t = useT();
  const past = useStudio((state) => state.moment !== null);
  const [editing, setEditing] = useState(false);
  const run = useStudio((state) => state.run);
  const [chosen, setChosen] = useState<string | null>(null);
  const [compare, setCompare] = useState(true);
  if (Object.keys(run.values).length === 0) {
    return <Empty icon={IconBraces} title={t("run.noState")} text={t("run.noStateHint")} />;
  }
  const at = chosen === null ? run.steps.length - 1 : Number(chosen);
  const step = run.steps[at];
  const values = step && chosen !== null ? step.values : run.values;
  const before = at > 0 ? run.steps[at - 1]?.values : {};
  const checkpoint = step?.checkpoint;
  const isNow = !past && at === run.steps.length - 1;
  if (editing && execution) {
    return (
      <EditState
        key={at}
        execution={execution}
        values={values}
        checkpoint={checkpoint}
        isNow={isNow}
        onFork={onFork}
        onClose={() => setEditing(false)}
      />
    );
  }
  return (
    <div>
      <div className={classes.stateTools}>
        {run.steps.length > 0 && (
          <Select
            size="xs"
            aria-label={t("run.atStep")}
            value={chosen ?? "latest"}
            allowDeselect={false}
            onChange={(value) => setChosen(value === "latest" ? null : value)}
            data={[
              { value: "latest", label: t("run.latest") },
              ...run.steps.map((step, at) => ({
                value: String(at),
                label: `${t("run.step", { step: step.step })} · ${step.changed.join(", ")}`,
              })),
            ]}
            style={{ flex: 1 }}
          />
        )}
        {run.steps.length > 0 && (
          <Switch size="xs" label={t("run.showChanges")} checked={compare} onChange={(event) => setCompare(event.currentTarget.checked)} />
        )}
        {execution && checkpoint && (
          <Tooltip label={t("run.editState")}>
            <ActionIcon variant="default" size={30} aria-label={t("run.editState")} onClick={() => setEditing(true)}>
              <IconPencil size={15} stroke={1.7} />
            </ActionIcon>
          </Tooltip>
        )}
      </div>
      <div className={classes.tree}>
        {Object.entries(values).map(([key, value]) => (
          <JsonTree
            key={`${at}.${key}`}
            name={key}
            value={value}
            before={compare && step ? { value: before?.[key] } : undefined}
          />
        ))}
      </div>
    </div>
  );
}
