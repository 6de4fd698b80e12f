/**
 * What the server understands of a workflow file. It is what
 * `agentweaver graph FILE --format json` prints; nothing here parses Python.
 */

export const START = "__start__";
export const END = "__end__";

/** A place in the source: bytes, half open; lines and columns from 1. */
export interface Span {
  start: number;
  end: number;
  line: number;
  column: number;
  end_line: number;
  end_column: number;
}

export interface FileSpec {
  graphs: GraphSpec[];
  schemas: SchemaSpec[];
  functions: FunctionSpec[];
  tools: { name: string; function: string; description: string; span: Span }[];
  problems: Diagnostic[];
}

export interface Diagnostic extends Span {
  code: string;
  severity: "info" | "warning" | "error";
  message: string;
  help?: string;
}

export interface GraphSpec {
  name: string;
  compiled: string[];
  line: number;
  span: Span;
  state: { schema: string; fields: FieldSpec[] };
  input_schema?: string;
  output_schema?: string;
  nodes: NodeSpec[];
  edges: EdgeSpec[];
  branches: BranchSpec[];
  dynamic: { line: number; reason: string; lost?: boolean; span: Span }[];
}

export type NodeKind = "function" | "typed" | "subgraph" | "tool_node" | "dynamic";

export interface NodeSpec {
  name: string;
  kind: NodeKind;
  line: number;
  span: Span;
  function?: string;
  /** Of a function node: the id in `functions`. */
  id?: string;
  /** Of a typed node: `llm`, `http` … */
  type?: string;
  settings?: { name: string; value: unknown; span: Span }[];
  /** Of a subgraph node: the name of another graph. */
  graph?: string;
  /** Of a tool node. */
  tools?: string[];
  /** Of a dynamic node. */
  reason?: string;
  defer?: boolean;
}

export interface EdgeSpec {
  source: string;
  target: string;
  kind: "plain" | "join" | "conditional" | "command" | "send";
  label?: string;
  join?: number;
  line: number;
  span: Span;
}

export interface BranchSpec {
  source: string;
  name: string;
  path_map?: [unknown, string][];
  span: Span;
}

export interface FieldSpec {
  name: string;
  type: string;
  reducer?: { kind: string; name?: string; class?: string };
  initial?: unknown;
  default?: unknown;
  required: boolean;
  description?: string;
  managed?: string;
  span: Span;
}

export interface SchemaSpec {
  name: string;
  kind: string;
  fields: FieldSpec[];
  doc?: string;
  json_schema: JsonSchema;
  span: Span;
}

export interface FunctionSpec {
  id: string;
  runs: { runs: "embedded" } | { runs: "worker"; reasons: string[] };
  is_async: boolean;
  parameters: { name: string; annotation?: string }[];
  doc?: string;
  span: Span;
}

/** The part of JSON Schema that forms are made of. */
export interface JsonSchema {
  type?: string | string[];
  title?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
  const?: unknown;
  format?: string;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  items?: JsonSchema;
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
  $ref?: string;
  $defs?: Record<string, JsonSchema>;
  additionalProperties?: boolean | JsonSchema;
  minimum?: number;
  maximum?: number;
}
