import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from "@tanstack/react-router";
import { type Status, STATUSES } from "./api/types";
import { Shell } from "./components/Shell";
import { Crashed, NotFound } from "./components/Trouble";

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound, errorComponent: Crashed });

const home = createRoute({
  getParentRoute: () => root,
  path: "/",
  component: lazyRouteComponent(() => import("./pages/HomePage")),
});

export interface WorkflowsSearch {
  q?: string;
}

export const workflows = createRoute({
  getParentRoute: () => root,
  path: "/workflows",
  validateSearch: (search: Record<string, unknown>): WorkflowsSearch => ({ q: text(search.q) }),
  component: lazyRouteComponent(() => import("./pages/WorkflowsPage")),
});

export interface StudioSearch {
  /** The run whose events the canvas shows. */
  run?: string;
  /** What a new workflow begins with. */
  template?: string;
}

export const studio = createRoute({
  getParentRoute: () => root,
  path: "/workflows/$id",
  validateSearch: (search: Record<string, unknown>): StudioSearch => ({
    run: text(search.run),
    template: text(search.template),
  }),
  component: lazyRouteComponent(() => import("./pages/StudioPage")),
});

export interface ExecutionsSearch {
  status?: Status;
  workflow?: string;
  q?: string;
}

export const executions = createRoute({
  getParentRoute: () => root,
  path: "/executions",
  validateSearch: (search: Record<string, unknown>): ExecutionsSearch => ({
    status: STATUSES.find((status) => status === search.status),
    workflow: text(search.workflow),
    q: text(search.q),
  }),
  component: lazyRouteComponent(() => import("./pages/ExecutionsPage")),
});

export interface ExecutionSearch {
  tab?: "timeline" | "log" | "state" | "history" | "replay";
  /** The checkpoint whose state is shown. */
  at?: string;
  /** A second checkpoint that it is compared with. */
  with?: string;
}

const TABS = ["timeline", "log", "state", "history", "replay"] as const;

export const execution = createRoute({
  getParentRoute: () => root,
  path: "/executions/$id",
  validateSearch: (search: Record<string, unknown>): ExecutionSearch => ({
    tab: TABS.find((tab) => tab === search.tab),
    at: text(search.at),
    with: text(search.with),
  }),
  component: lazyRouteComponent(() => import("./pages/ExecutionPage")),
});

export interface CompareSearch {
  left?: string;
  right?: string;
  tab?: "steps" | "end" | "code";
  /** Which of the compared steps is shown, from 0. */
  step?: number;
}

const COMPARE_TABS = ["steps", "end", "code"] as const;

export const compare = createRoute({
  getParentRoute: () => root,
  path: "/compare",
  validateSearch: (search: Record<string, unknown>): CompareSearch => ({
    left: text(search.left),
    right: text(search.right),
    tab: COMPARE_TABS.find((tab) => tab === search.tab),
    step: Number.isInteger(search.step) ? (search.step as number) : undefined,
  }),
  component: lazyRouteComponent(() => import("./pages/ComparePage")),
});

const templates = createRoute({
  getParentRoute: () => root,
  path: "/templates",
  component: lazyRouteComponent(() => import("./pages/TemplatesPage")),
});

const approvals = createRoute({
  getParentRoute: () => root,
  path: "/approvals",
  component: lazyRouteComponent(() => import("./pages/ApprovalsPage")),
});

const monitoring = createRoute({
  getParentRoute: () => root,
  path: "/monitoring",
  component: lazyRouteComponent(() => import("./pages/MonitoringPage")),
});

const settings = createRoute({
  getParentRoute: () => root,
  path: "/settings",
  component: lazyRouteComponent(() => import("./pages/SettingsPage")),
});

export const router = createRouter({
  routeTree: root.addChildren([
    home,
    workflows,
    studio,
    executions,
    execution,
    compare,
    templates,
    approvals,
    monitoring,
    settings,
  ]),
  defaultPreload: "intent",
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
