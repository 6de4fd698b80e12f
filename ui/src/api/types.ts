/** Short names for shapes of the HTTP API; they are generated from its OpenAPI document. */
import type { components } from "./schema";

type Schemas = components["schemas"];

export type Status = Schemas["Status"];
export type Execution = Schemas["Execution"];
export type Question = Schemas["Question"];
export type OpenCall = Schemas["OpenCall"];
export type SubmitRequest = Schemas["SubmitRequest"];
export type Submitted = Schemas["Submitted"];
export type WorkflowSource = Schemas["WorkflowSource"];
export type Health = Schemas["Health"];
export type NodeType = Schemas["NodeType"];
export type NodeSetting = Schemas["NodeSetting"];
export type Template = Schemas["Template"];
export type Parsed = Schemas["Parsed"];
export type Compiled = Schemas["Compiled"];

export interface Page<T> {
  items: T[];
  next_cursor?: string | null;
}

/** In the order of a life. */
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

/** Why a run or a node failed, as far as screens show it. */
export interface Failure {
  code?: string;
  message?: string;
  help?: string;
  node?: string;
  [key: string]: unknown;
}

/** A place on the canvas, in pixels at full size. */
export interface Place {
  x: number;
  y: number;
}
export type Workflow = Schemas["Workflow"];
export type NewWorkflow = Schemas["NewWorkflow"];
export type WorkflowVersion = Schemas["WorkflowVersion"];
export type WorkflowPatch = Schemas["WorkflowPatch"];
export type ExecuteRequest = Schemas["ExecuteRequest"];
export type Checkpoint = Schemas["Checkpoint"];
export type StateAt = Schemas["StateAt"];
export type ForkRequest = Schemas["ForkRequest"];
export type RerunRequest = Schemas["RerunRequest"];
export type Savings = Schemas["Savings"];
export type ReplayRequest = Schemas["ReplayRequest"];
export type ReplayReport = Schemas["ReplayReport"];
export type Difference = Schemas["Difference"];
export type Breakpoints = Schemas["Breakpoints"];

export type Credential = Schemas["Credential"];
export type Summary = Schemas["Summary"];
export type OpenCounts = Schemas["OpenCounts"];
export type Minute = Schemas["Minute"];
export type ModelProvider = Schemas["ModelProvider"];
export type ModelUsage = Schemas["ModelUsage"];
export type Quotas = Schemas["Quotas"];
export type QuotasRequest = Schemas["QuotasRequest"];
