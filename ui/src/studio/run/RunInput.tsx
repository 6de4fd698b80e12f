import { Button, JsonInput, SegmentedControl } from "@mantine/core";
import { IconPlayerPlayFilled } from "@tabler/icons-react";
import { useMemo, useState } from "react";
import type { JsonSchema } from "@/api/spec";
import { useT } from "@/i18n";
import { checkForm, SchemaForm } from "@/ui/SchemaForm";
import { shownGraph, useStudio } from "../store";
import { ModelField } from "./ModelField";
import classes from "./run.module.css";

interface Props {
  sample: Record<string, unknown> | undefined;
  starting: boolean;
  again: boolean;
  onStart(input: Record<string, unknown>): void;
}

/** The input as a form out of the state's schema, or as JSON. */
export function RunInput({ sample, starting, again, onStart }: Props) {
  const t = useT();
  const file = useStudio((state) => state.file);
  const spec = useStudio((state) => state.spec);
  const graphName = useStudio((state) => state.graphName);
  const problems = useStudio((state) => state.problems);
  const stored = `agentweaver.input.${file}`;
  const [value, setValue] = useState<Record<string, unknown>>(() => sample ?? remembered(stored) ?? {});
  const [mode, setMode] = useState("form");
  const [tried, setTried] = useState(false);
  const { schema, messages } = useMemo(() => inputOf(spec, graphName), [spec, graphName]);

  const errors = tried ? checkForm(schema, value, t("form.required")) : {};
  const unfit = problems.some((problem) => problem.severity === "error");
  const start = () => {
    setTried(true);
    if (unfit || starting) return;
    localStorage.setItem(stored, JSON.stringify(value));
    onStart(value);
  };
  const hasFields = Object.keys(schema.properties ?? {}).length > 0;
  const [all, setAll] = useState(false);
  // Most keys are for nodes to write; those of the sample are what a run begins with.
  const asked = sample && !all ? only(schema, new Set([...Object.keys(sample), ...(schema.required ?? [])])) : schema;
  const hidden = Object.keys(schema.properties ?? {}).length - Object.keys(asked.properties ?? {}).length;
  return (
    <form
      className={classes.form}
      onSubmit={(event) => {
        event.preventDefault();
        start();
      }}
      onKeyDown={(event) => {
        if (event.key === "Enter" && (event.metaKey || event.ctrlKey) && !event.nativeEvent.isComposing) start();
      }}
    >
      {hasFields && (
        <SegmentedControl
          size="xs"
          mb="sm"
          value={mode}
          onChange={setMode}
          aria-label={t("run.inputAs")}
          data={[
            { value: "form", label: t("run.form") },
            { value: "json", label: "JSON" },
          ]}
        />
      )}
      {mode === "form" && hasFields ? (
        <>
          <SchemaForm schema={asked} value={value} onChange={setValue} errors={errors} messages={messages} />
          {hidden > 0 && (
            <Button variant="subtle" size="compact-xs" mt="sm" ml={-8} onClick={() => setAll(true)}>
              {t("run.moreFields", { count: hidden })}
            </Button>
          )}
        </>
      ) : (
        <JsonInput
          key={mode}
          label={t("run.input")}
          autosize
          minRows={6}
          maxRows={20}
          defaultValue={JSON.stringify(value, null, 2)}
          validationError={t("form.notJson")}
          styles={{ input: { fontFamily: "var(--font-code)", fontSize: 12.5 } }}
          onChange={(text) => {
            try {
              setValue(JSON.parse(text) as Record<string, unknown>);
            } catch {
              // Half-typed JSON is not a value yet.
            }
          }}
        />
      )}
      <ModelField />
      <div className={classes.foot}>
        <Button type="submit" loading={starting} disabled={unfit} leftSection={<IconPlayerPlayFilled size={14} />}>
          {again ? t("studio.runAgain") : t("studio.run")}
        </Button>
        <span className={classes.hint}>{unfit ? t("run.unfit") : t("run.keys")}</span>
      </div>
    </form>
  );
}

type Spec = ReturnType<typeof useStudio.getState>["spec"];

/** The input's schema without what only later steps write; nothing of it must be given but what the class says. */
function inputOf(spec: Spec, graphName: string | null): { schema: JsonSchema; messages: Set<string> } {
  const graph = shownGraph({ spec, graphName });
  const name = graph?.input_schema ?? graph?.state.schema;
  const found = spec?.schemas.find((schema) => schema.name === name);
  const messages = (graph?.state.fields ?? []).filter((field) => field.reducer?.kind === "add_messages");
  if (!found) return { schema: {}, messages: new Set() };
  const schema = found.json_schema as JsonSchema;
  // A TypedDict's keys are all "required", yet a run begins with the few that it needs.
  const required = graph?.input_schema || found.kind === "pydantic" ? schema.required : [];
  return { schema: { ...schema, required }, messages: new Set(messages.map((field) => field.name)) };
}

function only(schema: JsonSchema, names: ReadonlySet<string>): JsonSchema {
  const kept = Object.entries(schema.properties ?? {}).filter(([name]) => names.has(name));
  return { ...schema, properties: Object.fromEntries(kept) };
}

function remembered(key: string): Record<string, unknown> | undefined {
  const text = localStorage.getItem(key);
  return text === null ? undefined : (JSON.parse(text) as Record<string, unknown>);
}
