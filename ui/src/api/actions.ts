/** What changes something, or is asked while one types. Each call is one request. */
import { call } from "./client";
import type { components } from "./schema";
import type {
  Compiled,
  ExecuteRequest,
  Execution,
  ForkRequest,
  NewWorkflow,
  Parsed,
  Quotas,
  QuotasRequest,
  ReplayReport,
  ReplayRequest,
  RerunRequest,
  StateAt,
  SubmitRequest,
  Submitted,
  Workflow,
  WorkflowPatch,
} from "./types";

/** What can be done to a graph; the server turns it into edits of the text. */
export type Operation = Open<components["schemas"]["Operation"]>;

/** Objects that the document leaves open have any values. */
type Open<T> = T extends Record<string, never>
  ? Record<string, unknown>
  : T extends object
    ? { [K in keyof T]: Open<T[K]> }
    : T;

type Edited = components["schemas"]["Edited"];
type EditRequest = { source: string; file: string; graph?: string; operations: Operation[] };
type SourceRequest = { source: string; file: string };

export const api = {
  parse: (body: SourceRequest, signal?: AbortSignal) => call<Parsed>("/studio/parse", { method: "POST", body, signal }),
  compile: (body: SourceRequest, signal?: AbortSignal) =>
    call<Compiled>("/studio/compile", { method: "POST", body, signal }),
  edit: (body: EditRequest) => call<Edited>("/studio/edit", { method: "POST", body }),
  submit: (body: SubmitRequest) => call<Submitted>("/executions", { method: "POST", body, headers: once() }),
  resume: (id: string, body: components["schemas"]["ResumeRequest"]) =>
    call<Execution>(`/executions/${id}/resume`, { method: "POST", body, headers: once() }),
  /** Values by key, as if a node had written them. */
  changeState: (id: string, values: Record<string, unknown>) =>
    call<StateAt>(`/executions/${id}/state`, { method: "POST", body: { values }, headers: once() }),
  fork: (id: string, body: ForkRequest) =>
    call<Submitted>(`/executions/${id}/fork`, { method: "POST", body, headers: once() }),
  rerun: (id: string, body: RerunRequest) =>
    call<Submitted>(`/executions/${id}/rerun`, { method: "POST", body, headers: once() }),
  replay: (id: string, body: ReplayRequest) =>
    call<ReplayReport>(`/executions/${id}/replay`, { method: "POST", body, headers: once() }),
  execute: (workflow: string, body: ExecuteRequest) =>
    call<Submitted>(`/workflows/${workflow}/execute`, { method: "POST", body, headers: once() }),
  createWorkflow: (body: NewWorkflow) => call<Workflow>("/workflows", { method: "POST", body, headers: once() }),
  changeWorkflow: (id: string, body: WorkflowPatch) => call<Workflow>(`/workflows/${id}`, { method: "PUT", body }),
  removeWorkflow: (id: string) => call<void>(`/workflows/${id}`, { method: "DELETE" }),
  setCredential: (provider: string, value: string) =>
    call<unknown>(`/credentials/${encodeURIComponent(provider)}`, { method: "PUT", body: { value } }),
  removeCredential: (provider: string) =>
    call<void>(`/credentials/${encodeURIComponent(provider)}`, { method: "DELETE" }),
  setQuotas: (body: QuotasRequest) => call<Quotas>("/quotas", { method: "PUT", body }),
  cancel: (id: string) => call<Execution>(`/executions/${id}/cancel`, { method: "POST", body: {} }),
  pause: (id: string) => call<Execution>(`/executions/${id}/pause`, { method: "POST" }),
  retry: (id: string) => call<Execution>(`/executions/${id}/retry`, { method: "POST", body: {} }),
};

/** A request that is sent twice takes effect once. */
function once(): Record<string, string> {
  return { "Idempotency-Key": crypto.randomUUID() };
}
