/** How the app asks the server; nothing else fetches. */

/** Why a request was refused (RFC 9457). */
export interface ProblemBody {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: string;
  help?: string;
  errors?: { pointer: string; detail: string; place?: unknown }[];
  request_id?: string;
}

export class Refused extends Error {
  constructor(readonly problem: ProblemBody) {
    super(problem.detail);
    this.name = "Refused";
  }
}

/** The server did not answer at all. */
export class Unreachable extends Error {
  constructor() {
    super("the server does not answer");
    this.name = "Unreachable";
  }
}

export interface Call {
  method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  query?: Record<string, string | number | undefined>;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

const BASE = "/api/v1";
const TOKEN = "agentweaver-token";

let token = typeof document === "undefined" ? "" : tokenOf(document);

export async function call<T>(path: string, options: Call = {}): Promise<T> {
  const response = await send(path, options);
  if (response.status === 204) return undefined as T;
  return (await response.json()) as T;
}

/** The answer as it arrives; a refusal is thrown. */
export async function send(path: string, options: Call = {}): Promise<Response> {
  let response = await attempt(path, options);
  // The token is that of one start of the server: after a restart the page asks for the new one.
  if (response.status === 401 && (await renewToken())) response = await attempt(path, options);
  if (response.ok) return response;
  throw new Refused(await problemOf(response));
}

async function attempt(path: string, { method = "GET", query, body, headers, signal }: Call): Promise<Response> {
  const given = Object.entries(query ?? {}).filter(([, value]) => value !== undefined && value !== "");
  const search = new URLSearchParams(given.map(([key, value]) => [key, String(value)])).toString();
  try {
    return await fetch(`${BASE}${path}${search && `?${search}`}`, {
      method,
      signal,
      body: body === undefined ? undefined : JSON.stringify(body),
      headers: {
        ...(token && { Authorization: `Bearer ${token}` }),
        ...(body !== undefined && { "Content-Type": "application/json" }),
        ...headers,
      },
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Unreachable();
  }
}

async function renewToken(): Promise<boolean> {
  const page = await fetch("/", { cache: "no-store" });
  const fresh = tokenOf(new DOMParser().parseFromString(await page.text(), "text/html"));
  if (!fresh || fresh === token) return false;
  token = fresh;
  return true;
}

function tokenOf(page: Document): string {
  return page.querySelector<HTMLMetaElement>(`meta[name="${TOKEN}"]`)?.content ?? "";
}

async function problemOf(response: Response): Promise<ProblemBody> {
  const isProblem = response.headers.get("content-type")?.startsWith("application/problem+json");
  if (isProblem) return (await response.json()) as ProblemBody;
  const detail = `${response.status} ${response.statusText}`;
  return { type: "about:blank", title: detail, status: response.status, detail, code: "foreign_answer" };
}
