/** Shapes of the HTTP API. */
import type { FileSpec } from "./spec";

export type Status =
  | "queued"
  | "running"
  | "waiting"
  | "paused"
  | "needs_attention"
  | "completed"
  | "failed"
  | "cancelled";

export const STATUSES: Status[] = [
  "queued",
  "running",
  "waiting",
  "paused",
  "needs_attention",
  "completed",
  "failed",
  "cancelled",
];

export function isFinal(status: Status): boolean {
  return status === "completed" || status === "failed" || status === "cancelled";
}

export interface Page<T> {
  items: T[];
  next_cursor?: string | null;
}

export interface WorkflowSource {
  file: string;
  source: string;
  graph?: string;
  script?: string;
}

export interface Breakpoints {
  before?: string[];
  after?: string[];
}

export interface SubmitRequest {
  workflow: WorkflowSource;
  input: unknown;
  model?: string;
  thread?: string;
  budget?: string;
  labels?: Record<string, string>;
  breakpoints?: Breakpoints;
}

export interface Submitted {
  execution_id: string;
  thread: string;
  status: Status;
}

export interface Question {
  id: string;
  namespace?: string;
  value: unknown;
  asked_at: string;
  deadline?: string;
}

export interface OpenCall {
  key: string;
  kind: string;
  request: unknown;
  since: string;
}

export interface Execution {
  id: string;
  parent?: string;
  workflow: string;
  version: string;
  thread: string;
  status: Status;
  priority: number;
  created_at: string;
  started_at?: string;
  completed_at?: string;
  run_at?: string;
  questions?: Question[];
  waits_for?: string[];
  open_calls?: OpenCall[];
  output?: unknown;
  error?: Failure;
  tokens_input: number;
  tokens_output: number;
  cost: string;
  lease_owner?: string;
  deliveries: number;
  labels?: Record<string, string>;
}

export interface Failure {
  code?: string;
  message?: string;
  help?: string;
  node?: string;
  [key: string]: unknown;
}

export interface Health {
  status: string;
  version: string;
  role: string;
  store: string;
}

export interface Parsed {
  version: string;
  spec: FileSpec;
}

export interface NodeType {
  name: string;
  group: string;
  summary: string;
  settings: NodeSetting[];
}

export interface NodeSetting {
  name: string;
  kind: string;
  required: boolean;
  default?: string;
  doc: string;
  choices?: string[];
}

export interface Template {
  id: string;
  title: string;
  summary: string;
  tags: string[];
  source: string;
  script?: string;
  input?: unknown;
}

export interface Place {
  x: number;
  y: number;
}

export interface Workflow {
  id: string;
  name: string;
  file: string;
  source: string;
  script?: string;
  layout: Record<string, Place>;
  version: number;
  hash: string;
  created_at: string;
  updated_at: string;
  origin: "database" | "folder";
  path?: string;
}

export type WorkflowItem = Omit<Workflow, "source">;
