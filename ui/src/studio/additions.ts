import type { GraphSpec } from "@/api/spec";
import type { NodeSetting, NodeType } from "@/api/types";

/** A name that no node has. */
export function newName(base: string, taken: string[]): string {
  if (!taken.includes(base)) return base;
  for (let number = 2; ; number += 1) {
    const name = `${base}_${number}`;
    if (!taken.includes(name)) return name;
  }
}

/** What a new typed node must have, with values to change; the rest has its defaults. */
export function newSettings(type: NodeType, graph: GraphSpec | undefined): Record<string, unknown> {
  const required = type.settings.filter((setting) => setting.required);
  return Object.fromEntries(required.map((setting) => [setting.name, valueFor(setting, graph)]));
}

const EXAMPLES: Record<string, string> = {
  model: "openai/gpt-4o-mini",
  url: "https://example.com/",
  cron: "0 9 * * 1-5",
  message: "Please answer.",
};

function valueFor(setting: NodeSetting, graph: GraphSpec | undefined): unknown {
  const key = graph?.state.fields[0]?.name ?? "value";
  switch (setting.kind) {
    case "bool":
      return false;
    case "int":
    case "number":
    case "int_or_one_of":
      return 1;
    case "one_of":
      return setting.choices?.[0] ?? "";
    case "list":
    case "list_or_dict":
      return [];
    case "dict":
    case "schema":
      return {};
    case "key":
      return key;
    case "node":
      return "END";
    case "template":
      return EXAMPLES[setting.name] ?? `{{ ${key} }}`;
    case "expression":
      return key;
    default:
      return EXAMPLES[setting.name] ?? setting.name;
  }
}
