/** Every address inside the app. */
export const path = {
  home: () => "/",
  workflows: () => "/workflows",
  workflow: (id: string) => `/workflows/${encodeURIComponent(id)}`,
  executions: (status?: string) => (status ? `/executions?status=${status}` : "/executions"),
  execution: (id: string) => `/executions/${encodeURIComponent(id)}`,
  templates: () => "/templates",
  approvals: () => "/approvals",
  monitoring: () => "/monitoring",
  settings: () => "/settings",
};
