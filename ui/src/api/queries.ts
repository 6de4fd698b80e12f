import { infiniteQueryOptions, keepPreviousData, QueryClient, queryOptions } from "@tanstack/react-query";
import { call, Refused } from "./client";
import type { RunEvent } from "./events";
import type {
  Checkpoint,
  Credential,
  Execution,
  Health,
  ModelProvider,
  ModelUsage,
  NodeType,
  Page,
  Quotas,
  StateAt,
  Status,
  Summary,
  Template,
  Workflow,
  WorkflowSource,
  WorkflowVersion,
} from "./types";

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      // A refusal stays one; a server that is gone comes back.
      retry: (failures, error) => !(error instanceof Refused) && failures < 3,
      refetchOnWindowFocus: true,
    },
  },
});

/** How often lists of what goes on look again. */
const LIVE_MS = 3_000;

export const healthQuery = () =>
  queryOptions({
    queryKey: ["health"],
    queryFn: ({ signal }) => call<Health>("/health", { signal }),
    refetchInterval: LIVE_MS,
    retry: false,
  });

export interface ExecutionFilter {
  status?: Status;
  workflow?: string;
  /** Text in the id, file, thread, labels, input or error. */
  q?: string;
  limit?: number;
  cursor?: string;
}

export const executionsQuery = (filter: ExecutionFilter) =>
  queryOptions({
    queryKey: ["executions", filter],
    queryFn: ({ signal }) => call<Page<Execution>>("/executions", { query: { ...filter }, signal }),
    refetchInterval: LIVE_MS,
  });

/** The same as pages, one after the other. */
export const executionPages = (filter: ExecutionFilter) =>
  infiniteQueryOptions({
    queryKey: ["executions", "pages", filter],
    queryFn: ({ signal, pageParam }) =>
      call<Page<Execution>>("/executions", { query: { ...filter, cursor: pageParam }, signal }),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    refetchInterval: LIVE_MS,
  });

export const executionQuery = (id: string) =>
  queryOptions({
    queryKey: ["execution", id],
    queryFn: ({ signal }) => call<Execution>(`/executions/${id}`, { signal }),
  });

export const workflowsQuery = () =>
  queryOptions({
    queryKey: ["workflows"],
    queryFn: ({ signal }) => call<Page<Workflow>>("/workflows", { query: { limit: 200 }, signal }),
  });

/** Those with a text in their name, file or id, as pages. */
export const workflowPages = (q: string | undefined) =>
  infiniteQueryOptions({
    queryKey: ["workflows", "pages", q],
    queryFn: ({ signal, pageParam }) =>
      call<Page<Workflow>>("/workflows", { query: { q, cursor: pageParam }, signal }),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    // What was found before stays until the next is there.
    placeholderData: keepPreviousData,
  });

export const workflowQuery = (id: string) =>
  queryOptions({
    queryKey: ["workflow", id],
    queryFn: ({ signal }) => call<Workflow>(`/workflows/${encodeURIComponent(id)}`, { signal }),
  });

/** The texts that a workflow has had, the newest first. */
export const versionsQuery = (id: string) =>
  queryOptions({
    queryKey: ["workflow", id, "versions"],
    queryFn: ({ signal }) => call<Page<WorkflowVersion>>(`/workflows/${encodeURIComponent(id)}/versions`, { query: { limit: 100 }, signal }),
    staleTime: 0,
  });

export const templatesQuery = () =>
  queryOptions({
    queryKey: ["templates"],
    queryFn: ({ signal }) => call<Page<Template>>("/studio/templates", { signal }),
    staleTime: Number.POSITIVE_INFINITY,
  });

export const nodeTypesQuery = () =>
  queryOptions({
    queryKey: ["node-types"],
    queryFn: async ({ signal }) => {
      const answer = await call<NodeType[] | Page<NodeType>>("/studio/nodes", { signal });
      return Array.isArray(answer) ? answer : answer.items;
    },
    staleTime: Number.POSITIVE_INFINITY,
  });

/** All durable events of an execution, the oldest first. */
export const eventsQuery = (id: string) =>
  queryOptions({
    queryKey: ["execution", id, "events"],
    queryFn: async ({ signal }) => {
      const events: RunEvent[] = [];
      for (;;) {
        const after = events.at(-1)?.sequence ?? 0;
        const page = await call<RunEvent[]>(`/executions/${id}/events`, { query: { after, limit: EVENTS_MAX }, signal });
        events.push(...page);
        if (page.length < EVENTS_MAX) return events;
      }
    },
  });

/** As many as the server gives at once. */
const EVENTS_MAX = 1_000;

/** The checkpoints of an execution's thread, the oldest first. */
export const checkpointsQuery = (id: string) =>
  queryOptions({
    queryKey: ["execution", id, "checkpoints"],
    queryFn: ({ signal }) => call<Page<Checkpoint>>(`/executions/${id}/checkpoints`, { query: { limit: 200 }, signal }),
  });

export const stateQuery = (id: string, at: string | undefined) =>
  queryOptions({
    queryKey: ["execution", id, "state", at],
    queryFn: ({ signal }) => call<StateAt>(`/executions/${id}/state`, { query: { at }, signal }),
    enabled: at !== undefined,
    // What a checkpoint holds never changes.
    staleTime: Number.POSITIVE_INFINITY,
  });

/** The state as a run left it where it stands still, or ended. */
export const newestStateQuery = (id: string) =>
  queryOptions({
    queryKey: ["execution", id, "state", "newest"],
    queryFn: ({ signal }) => call<StateAt>(`/executions/${id}/state`, { signal }),
  });

/** The text that an execution is pinned to. */
export const executionSourceQuery = (id: string) =>
  queryOptions({
    queryKey: ["execution", id, "workflow"],
    queryFn: ({ signal }) => call<WorkflowSource>(`/executions/${id}/workflow`, { signal }),
    staleTime: Number.POSITIVE_INFINITY,
  });

export const summaryQuery = () =>
  queryOptions({
    queryKey: ["summary"],
    queryFn: ({ signal }) => call<Summary>("/monitoring/summary", { signal }),
    refetchInterval: LIVE_MS,
  });

/** Providers are asked for it, which may take them seconds. */
export const modelsQuery = () =>
  queryOptions({
    queryKey: ["models"],
    queryFn: ({ signal }) => call<Page<ModelProvider>>("/models", { signal }),
    staleTime: 60_000,
  });

/** What clients of the gateway have used, by day and model; `from` is `2026-01-31`. */
export const usageQuery = (from: string) =>
  queryOptions({
    queryKey: ["usage", from],
    queryFn: ({ signal }) => call<Page<ModelUsage>>("/usage", { query: { from }, signal }),
  });

export const quotasQuery = () =>
  queryOptions({ queryKey: ["quotas"], queryFn: ({ signal }) => call<Quotas>("/quotas", { signal }) });

export const credentialsQuery = () =>
  queryOptions({
    queryKey: ["credentials"],
    queryFn: ({ signal }) => call<Page<Credential>>("/credentials", { signal }),
  });
