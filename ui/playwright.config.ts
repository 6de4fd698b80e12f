import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineConfig } from "@playwright/test";

const binary = process.env.AGENTWEAVER ?? "../target/debug/agentweaver";
const port = Number(process.env.AGENTWEAVER_PORT ?? 8199);
const browser = ["/usr/bin/chromium-headless-shell", "/usr/bin/chromium"].find(existsSync);

/** The real server with a data directory of its own, and the system's browser. */
export default defineConfig({
  testDir: "test/e2e",
  workers: 1,
  retries: 0,
  forbidOnly: true,
  reporter: [["list"]],
  snapshotPathTemplate: "test/visual/{arg}{ext}",
  timeout: 30_000,
  use: {
    baseURL: `http://127.0.0.1:${port}`,
    viewport: { width: 1440, height: 900 },
    launchOptions: { executablePath: browser },
    contextOptions: { reducedMotion: "reduce" },
    permissions: ["clipboard-read", "clipboard-write"],
    trace: "retain-on-failure",
  },
  webServer: {
    command: `${binary} serve --listen 127.0.0.1:${port}`,
    url: `http://127.0.0.1:${port}/api/v1/health`,
    env: { AGENTWEAVER_DATA: mkdtempSync(join(tmpdir(), "agentweaver-e2e-")) },
    gracefulShutdown: { signal: "SIGTERM", timeout: 5_000 },
  },
});
