import { JsonInput, NumberInput, Select, Stack, Switch, TagsInput, Textarea } from "@mantine/core";
import type { JsonSchema } from "@/api/spec";
import { useT } from "@/i18n";

interface Props {
  schema: JsonSchema;
  value: Record<string, unknown>;
  onChange(value: Record<string, unknown>): void;
  /** What is wrong with a field, by its name. */
  errors?: Record<string, string>;
  /** Keys that hold a conversation: one message is asked for. */
  messages?: ReadonlySet<string>;
}

/** A form out of a JSON Schema of an object. What has no form of its own is typed as JSON. */
export function SchemaForm({ schema, value, onChange, errors = {}, messages }: Props) {
  const fields = Object.entries(schema.properties ?? {});
  const required = new Set(schema.required ?? []);
  return (
    <Stack gap="sm">
      {fields.map(([name, field]) => (
        <Field
          key={name}
          name={name}
          schema={resolved(field, schema)}
          required={required.has(name)}
          value={value[name]}
          error={errors[name]}
          isConversation={messages?.has(name) ?? false}
          onChange={(next) => {
            const rest = { ...value };
            if (next === undefined) delete rest[name];
            else rest[name] = next;
            onChange(rest);
          }}
        />
      ))}
    </Stack>
  );
}

interface FieldProps {
  name: string;
  schema: JsonSchema;
  required: boolean;
  value: unknown;
  error?: string;
  isConversation: boolean;
  onChange(value: unknown): void;
}

function Field({ name, schema, required, value, error, isConversation, onChange }: FieldProps) {
  const t = useT();
  const common = { label: name, description: schema.description, error, required };
  if (isConversation) {
    return (
      <Textarea
        {...common}
        minRows={2}
        maxRows={8}
        description={t("form.message")}
        value={messageText(value)}
        onChange={(event) => {
          const content = event.currentTarget.value;
          onChange(content === "" ? undefined : [{ role: "user", content }]);
        }}
      />
    );
  }
  if (schema.enum) {
    return (
      <Select
        {...common}
        data={schema.enum.map(String)}
        value={value === undefined ? null : String(value)}
        onChange={(chosen) => onChange(schema.enum?.find((item) => String(item) === chosen))}
        clearable={!required}
      />
    );
  }
  switch (typeOf(schema)) {
    case "string":
      return (
        <Textarea
          {...common}
          minRows={1}
          maxRows={10}
          value={typeof value === "string" ? value : ""}
          onChange={(event) => onChange(event.currentTarget.value)}
        />
      );
    case "integer":
    case "number":
      return (
        <NumberInput
          {...common}
          allowDecimal={typeOf(schema) === "number"}
          min={schema.minimum}
          max={schema.maximum}
          value={typeof value === "number" ? value : ""}
          onChange={(next) => onChange(typeof next === "number" ? next : undefined)}
        />
      );
    case "boolean":
      return (
        <Switch
          label={name}
          description={schema.description}
          checked={value === true}
          onChange={(event) => onChange(event.currentTarget.checked)}
        />
      );
    case "array":
      if (schema.items && typeOf(schema.items) === "string" && !schema.items.enum) {
        const items = Array.isArray(value) ? value.map(String) : [];
        return <TagsInput {...common} value={items} onChange={onChange} placeholder={items.length ? "" : t("form.addItem")} />;
      }
      break;
    default:
  }
  return <JsonField {...common} value={value} onChange={onChange} />;
}

/** Keeps what is typed until it is JSON. */
function JsonField(props: { label: string; description?: string; error?: string; required: boolean; value: unknown; onChange(value: unknown): void }) {
  const t = useT();
  const { value, onChange, ...common } = props;
  return (
    <JsonInput
      {...common}
      size="sm"
      autosize
      minRows={2}
      maxRows={12}
      formatOnBlur
      validationError={t("form.notJson")}
      placeholder="{ }"
      defaultValue={value === undefined ? "" : JSON.stringify(value, null, 2)}
      onChange={(text) => {
        if (text.trim() === "") return onChange(undefined);
        try {
          onChange(JSON.parse(text));
        } catch {
          // Half-typed JSON is not a value yet.
        }
      }}
      styles={{ input: { fontFamily: "var(--font-code)", fontSize: 12.5 } }}
    />
  );
}

/** What is missing or wrong, by field. */
export function checkForm(schema: JsonSchema, value: Record<string, unknown>, missing: string): Record<string, string> {
  const errors: Record<string, string> = {};
  for (const name of schema.required ?? []) {
    const given = value[name];
    if (given === undefined || given === "") errors[name] = missing;
  }
  return errors;
}

function resolved(schema: JsonSchema, root: JsonSchema): JsonSchema {
  const name = schema.$ref?.match(/^#\/\$defs\/(.+)$/)?.[1];
  const found = name === undefined ? schema : { ...root.$defs?.[name], ...schema };
  // `X | None` is X that may be left out.
  const options = found.anyOf?.filter((option) => option.type !== "null");
  return options?.length === 1 ? { ...found, ...options[0], anyOf: undefined } : found;
}

function typeOf(schema: JsonSchema): string | undefined {
  const types = Array.isArray(schema.type) ? schema.type.filter((type) => type !== "null") : [schema.type];
  return types.length === 1 ? types[0] : undefined;
}

function messageText(value: unknown): string {
  const last = Array.isArray(value) ? value.at(-1) : value;
  if (typeof last === "string") return last;
  const content = (last as { content?: unknown } | undefined)?.content;
  return typeof content === "string" ? content : "";
}
