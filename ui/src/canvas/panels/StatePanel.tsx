import { ActionIcon, Autocomplete, Button, TextInput, Tooltip } from "@mantine/core";
import { IconBraces, IconTrash, IconX } from "@tabler/icons-react";
import { Panel } from "@xyflow/react";
import { useEffect, useState } from "react";
import type { FieldSpec } from "@/api/spec";
import { useT } from "@/i18n";
import { shownGraph, useStudio } from "@/studio/store";
import type { CanvasEdits } from "@/studio/useCanvasEdits";
import { NameInput } from "./NameInput";
import classes from "./panels.module.css";

/** How writes can merge; a function of the file can too. */
const REDUCERS = ["add", "add_messages", "or", "and", "mul", "max", "min"];
const TYPES = ["str", "int", "float", "bool", "dict", "list[str]", "list[dict]", "str | None"];

/** The keys of the state of the shown graph, with their types and how writes merge. */
export function StatePanel({ edits, onClose }: { edits: CanvasEdits; onClose(): void }) {
  const t = useT();
  const graph = useStudio((state) => shownGraph(state));
  if (!graph) return null;
  const { schema, fields } = graph.state;
  return (
    <Panel position="top-right" className={classes.panel}>
      <section aria-label={t("fields.title")}>
        <header className={classes.panelHeader}>
          <IconBraces size={16} stroke={1.7} aria-hidden />
          <span className={classes.panelKind}>{schema || t("fields.title")}</span>
          <ActionIcon onClick={onClose} aria-label={t("common.close")} size={26}>
            <IconX size={15} />
          </ActionIcon>
        </header>
        <div className={classes.panelBody}>
          {schema === "" && <p className={classes.note}>{t("fields.unknown")}</p>}
          {fields.map((field) => (
            <Field key={field.name} field={field} edits={edits} />
          ))}
          {schema !== "" && <NewField edits={edits} />}
        </div>
      </section>
    </Panel>
  );
}

function Field({ field, edits }: { field: FieldSpec; edits: CanvasEdits }) {
  const t = useT();
  const { name } = field;
  return (
    <fieldset className={classes.field} aria-label={name}>
      <div className={classes.fieldName}>
        <Name name={name} edits={edits} />
        <Tooltip label={t("fields.remove", { name })}>
          <ActionIcon size={22} aria-label={t("fields.remove", { name })} onClick={() => void edits.operate(undefined, { op: "remove_field", name })}>
            <IconTrash size={13} stroke={1.7} />
          </ActionIcon>
        </Tooltip>
      </div>
      <Typed
        label={t("fields.type")}
        offered={TYPES}
        value={field.type}
        onWrite={(type) => (type === "" ? Promise.resolve(false) : edits.operate(undefined, { op: "set_field", name, type }))}
      />
      <Typed
        label={t("fields.reducer")}
        placeholder={t("fields.last")}
        offered={REDUCERS}
        value={reducerOf(field)}
        onWrite={(reducer) => edits.operate(undefined, { op: "set_field", name, reducer: reducer === "" ? null : reducer })}
      />
    </fieldset>
  );
}

/** A new name goes into all code that reads or writes the field; what is not sure is refused. */
function Name({ name, edits }: { name: string; edits: CanvasEdits }) {
  const t = useT();
  return (
    <NameInput
      variant="unstyled"
      aria-label={t("fields.rename", { name })}
      classNames={{ root: classes.fieldNameBox, input: classes.fieldNameText }}
      name={name}
      onRename={(to) => edits.operate(undefined, { op: "rename_field", name, to })}
    />
  );
}

function NewField({ edits }: { edits: CanvasEdits }) {
  const t = useT();
  const [name, setName] = useState("");
  const [type, setType] = useState("str");
  const [reducer, setReducer] = useState("");
  const add = async () => {
    const done = await edits.operate(undefined, { op: "add_field", name: name.trim(), type: type.trim(), reducer: reducer.trim() || undefined });
    if (!done) return;
    setName("");
    setType("str");
    setReducer("");
  };
  return (
    <form
      className={classes.newField}
      onSubmit={(event) => {
        event.preventDefault();
        void add();
      }}
    >
      <TextInput size="xs" label={t("fields.name")} value={name} onChange={(event) => setName(event.currentTarget.value)} />
      <div className={classes.field}>
        <Autocomplete size="xs" aria-label={t("fields.type")} data={TYPES} value={type} onChange={setType} />
        <Autocomplete size="xs" aria-label={t("fields.reducer")} placeholder={t("fields.last")} data={REDUCERS} value={reducer} onChange={setReducer} />
      </div>
      <Button type="submit" size="xs" variant="default" disabled={name.trim() === "" || type.trim() === ""}>
        {t("fields.add")}
      </Button>
    </form>
  );
}

interface TypedProps {
  label: string;
  placeholder?: string;
  offered: string[];
  value: string;
  onWrite(value: string): Promise<boolean>;
}

/** A text that is written when the field is left or a proposal is taken. */
function Typed({ label, placeholder, offered, value, onWrite }: TypedProps) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  const write = async (text: string) => {
    if (text.trim() !== value && !(await onWrite(text.trim()))) setText(value);
  };
  return (
    <Autocomplete
      size="xs"
      aria-label={label}
      placeholder={placeholder}
      data={offered}
      value={text}
      onChange={setText}
      onOptionSubmit={(chosen) => void write(chosen)}
      onBlur={() => void write(text)}
    />
  );
}

/** The reducer's name in the file; empty where the last write counts. */
function reducerOf({ reducer }: FieldSpec): string {
  if (!reducer) return "";
  if (reducer.kind === "function" || reducer.kind === "delta") return reducer.name;
  return reducer.kind === "channel" ? reducer.class : reducer.kind;
}
