import { Autocomplete, NumberInput, Select, Switch, Textarea } from "@mantine/core";
import { type ReactNode, useEffect, useState } from "react";
import type { NodeSetting } from "@/api/types";
import { isRecord } from "@/canvas/model/run";
import { useT } from "@/i18n";
import { shownGraph, useStudio } from "@/studio/store";
import { Prose } from "@/ui/Prose";

interface Props {
  setting: NodeSetting;
  value: unknown;
  /** Undefined takes the setting away. */
  onSet(value: unknown): Promise<boolean>;
}

const MONOSPACE = { input: { fontFamily: "var(--font-code)", fontSize: 12 } };

/** One setting of a typed node, by what it takes. What is typed is written when the field is left. */
export function SettingField({ setting, value, onSet }: Props) {
  const t = useT();
  const common = { size: "xs" as const, label: setting.name, description: <Prose text={setting.doc} />, required: setting.required };
  const hint = setting.default && setting.default !== "None" ? setting.default : undefined;
  if (isRecord(value) && value.$type === "ref") {
    // A name of the file: its meaning is in the code, and a text here would replace it.
    return <Textarea {...common} readOnly description={t("panel.inCode")} value={String(value.name)} styles={MONOSPACE} minRows={1} />;
  }
  switch (setting.kind) {
    case "bool":
      return (
        <Switch
          size="xs"
          label={setting.name}
          description={<Prose text={setting.doc} />}
          checked={value === undefined ? setting.default === "True" : value === true}
          onChange={(event) => void onSet(event.currentTarget.checked)}
        />
      );
    case "one_of":
      return (
        <Select
          {...common}
          data={setting.choices ?? []}
          placeholder={hint}
          value={typeof value === "string" ? value : null}
          clearable={!setting.required}
          onChange={(choice) => void onSet(choice ?? undefined)}
        />
      );
    case "int":
    case "number":
      return <NumberField {...common} placeholder={hint} decimal={setting.kind === "number"} value={value} onSet={onSet} />;
    case "key":
      return <NameField {...common} names="keys" value={value} onSet={onSet} />;
    case "node":
      return <NameField {...common} names="nodes" value={value} onSet={onSet} />;
    case "text":
    case "template":
    case "expression":
      return <TextField {...common} placeholder={hint} code={setting.kind !== "text"} value={value} onSet={onSet} />;
    default:
      return <JsonField {...common} placeholder={hint} value={value} onSet={onSet} />;
  }
}

interface FieldProps {
  size: "xs";
  label: string;
  description: ReactNode;
  required: boolean;
  placeholder?: string;
  value: unknown;
  onSet(value: unknown): Promise<boolean>;
}

function TextField({ value, onSet, code, ...rest }: FieldProps & { code: boolean }) {
  const saved = typeof value === "string" ? value : value === undefined ? "" : JSON.stringify(value);
  const [text, setText] = useTyped(saved);
  const write = async () => {
    if (text === saved) return;
    if (!(await onSet(text === "" && !rest.required ? undefined : text))) setText(saved);
  };
  return (
    <Textarea
      {...rest}
      minRows={1}
      maxRows={10}
      value={text}
      styles={code ? MONOSPACE : undefined}
      onChange={(event) => setText(event.currentTarget.value)}
      onBlur={() => void write()}
    />
  );
}

function JsonField({ value, onSet, ...rest }: FieldProps) {
  const t = useT();
  const saved = value === undefined ? "" : JSON.stringify(value, null, 2);
  const [text, setText] = useTyped(saved);
  const [error, setError] = useState<string>();
  const write = async () => {
    if (text === saved) return;
    try {
      const parsed = text.trim() === "" ? undefined : (JSON.parse(text) as unknown);
      setError(undefined);
      if (!(await onSet(parsed))) setText(saved);
    } catch {
      setError(t("form.notJson"));
    }
  };
  return (
    <Textarea
      {...rest}
      minRows={1}
      maxRows={12}
      value={text}
      error={error}
      styles={MONOSPACE}
      onChange={(event) => setText(event.currentTarget.value)}
      onBlur={() => void write()}
    />
  );
}

function NumberField({ value, onSet, decimal, ...rest }: FieldProps & { decimal: boolean }) {
  const saved = typeof value === "number" ? value : "";
  const [number, setNumber] = useTyped<number | string>(saved);
  return (
    <NumberInput
      {...rest}
      allowDecimal={decimal}
      value={number}
      onChange={setNumber}
      onBlur={() => {
        if (number !== saved) void onSet(typeof number === "number" ? number : undefined);
      }}
    />
  );
}

function NameField({ value, onSet, names, ...rest }: FieldProps & { names: "keys" | "nodes" }) {
  const spec = useStudio((state) => state.spec);
  const graphName = useStudio((state) => state.graphName);
  const graph = shownGraph({ spec, graphName });
  const known = names === "keys" ? graph?.state.fields.map((field) => field.name) : graph?.nodes.map((node) => node.name);
  const saved = typeof value === "string" ? value : "";
  const [text, setText] = useTyped(saved);
  const write = (name: string) => {
    if (name !== saved) void onSet(name === "" ? undefined : name);
  };
  return (
    <Autocomplete
      {...rest}
      data={[...new Set(known ?? [])]}
      value={text}
      onChange={setText}
      onOptionSubmit={write}
      onBlur={() => write(text)}
    />
  );
}

/** What is being typed, begun anew when the text of the file says something else. */
function useTyped<T>(saved: T): [T, (value: T) => void] {
  const [typed, setTyped] = useState(saved);
  useEffect(() => setTyped(saved), [saved]);
  return [typed, setTyped];
}
