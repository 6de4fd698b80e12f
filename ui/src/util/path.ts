/** Addresses inside the app that are built from an id. */
export const path = {
  workflow: (id: string) => `/workflows/${encodeURIComponent(id)}`,
  execution: (id: string) => `/executions/${encodeURIComponent(id)}`,
};
