/**
 * What the server understands of a workflow file, as its OpenAPI document says it.
 * Nothing in the browser parses Python.
 */
import type { components } from "./schema";

type Schemas = components["schemas"];

export const START = "__start__";
export const END = "__end__";

export type FileSpec = Schemas["FileSpec"];
export type GraphSpec = Schemas["GraphSpec"];
export type NodeSpec = Schemas["NodeSpec"];
export type EdgeSpec = Schemas["EdgeSpec"];
export type FieldSpec = Schemas["FieldSpec"];
export type SchemaSpec = Schemas["SchemaSpec"];
export type Diagnostic = Schemas["Diagnostic"];
/** A place in the source: bytes, half open; lines and columns from 1. */
export type Span = Schemas["Span"];

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
  $ref?: string;
  $defs?: Record<string, JsonSchema>;
  minimum?: number;
  maximum?: number;
}
