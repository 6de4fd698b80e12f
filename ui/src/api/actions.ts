/** What changes something, or is asked while one types. Each call is one request. */
import { call } from "./client";
import type { components } from "./schema";
import type { Compiled, Execution, Parsed, SubmitRequest, Submitted } from "./types";

type SourceRequest = { source: string; file: string };

export const api = {
  parse: (body: SourceRequest, signal?: AbortSignal) => call<Parsed>("/studio/parse", { method: "POST", body, signal }),
  compile: (body: SourceRequest, signal?: AbortSignal) =>
    call<Compiled>("/studio/compile", { method: "POST", body, signal }),
  submit: (body: SubmitRequest) => call<Submitted>("/executions", { method: "POST", body, headers: once() }),
  resume: (id: string, body: components["schemas"]["ResumeRequest"]) =>
    call<Execution>(`/executions/${id}/resume`, { method: "POST", body, headers: once() }),
  cancel: (id: string) => call<Execution>(`/executions/${id}/cancel`, { method: "POST", body: {} }),
  pause: (id: string) => call<Execution>(`/executions/${id}/pause`, { method: "POST" }),
  retry: (id: string) => call<Execution>(`/executions/${id}/retry`, { method: "POST", body: {} }),
};

/** A request that is sent twice takes effect once. */
function once(): Record<string, string> {
  return { "Idempotency-Key": crypto.randomUUID() };
}
