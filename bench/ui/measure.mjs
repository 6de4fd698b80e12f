// How fast the Studio is in Chromium, against a server of its own. Prints one line a figure.
//
//   node bench/ui/measure.mjs [--binary PATH] [--only load,keys,pan,trace,tokens]
//
// Needs `ui/node_modules` and a server that was built after `npm --prefix ui run build`.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { fakeProvider } from "./provider.mjs";
import { chainOf, fanOut, streaming } from "./workflows.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));
const { chromium } = createRequire(join(root, "ui/package.json"))("@playwright/test");
const { values: options } = parseArgs({
  options: { binary: { type: "string", default: join(root, "target/release/agentweaver") }, only: { type: "string" } },
});
const SPANS = 10_000;
const KEYS = 24;
const TOKENS = 60;

const measures = { load, keys, pan, trace, tokens };
const wanted = options.only?.split(",") ?? Object.keys(measures);
const provider = await fakeProvider(TOKENS);
const server = await serve();
const executablePath = ["/usr/bin/chromium-headless-shell", "/usr/bin/chromium"].find(existsSync);
const browser = await chromium.launch({ executablePath });
try {
  for (const name of wanted) await measures[name]();
} finally {
  await browser.close();
  server.process.kill("SIGTERM");
  provider.close();
}

/** Bytes of the first load and when the page can be used, of home and of the Studio, each with an empty cache. */
async function load() {
  for (const [name, path, ready] of [
    ["home", "/", "main h1"],
    ["studio", "/workflows/new", ".react-flow__node"],
  ]) {
    const page = await newPage();
    const sizes = [];
    page.on("response", (response) => {
      const isEditor = /CodeEditor|DiffView|monaco|editor\.worker|python-/.test(response.url());
      if (!isEditor && response.url().includes("/assets/")) sizes.push(response.request().sizes());
    });
    // When it is there, by the clock of the page, which begins as the navigation does.
    await page.addInitScript((ready) => {
      new MutationObserver((_, observer) => {
        if (!document.querySelector(ready)) return;
        observer.disconnect();
        requestAnimationFrame(() => setTimeout(() => (window.usableMs = performance.now())));
      }).observe(document, { childList: true, subtree: true });
    }, ready);
    await page.goto(server.address + path);
    await page.waitForFunction(() => window.usableMs !== undefined);
    await page.waitForLoadState("networkidle");
    const bytes = (await Promise.all(sizes)).reduce((sum, size) => sum + size.responseBodySize, 0);
    say(`first load, ${name}, without the editor`, `${(bytes / 1000).toFixed(0)} kB compressed`);
    say(`usable, ${name}`, ms(await page.evaluate(() => window.usableMs)));
    await page.context().close();
  }
}

/** From a key press in the code to the frame that shows what it changed on the canvas. */
async function keys() {
  for (const size of [100, 500]) {
    const page = await openStudio(chainOf(size));
    await page.getByRole("textbox", { name: "Code" }).focus();
    await page.keyboard.press("Control+End");
    await page.evaluate((text) => navigator.clipboard.writeText(text), 'graph.add_node("x", step)\n');
    await page.keyboard.press("Control+V");
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("Home");
    for (let at = 0; at < 'graph.add_node("x'.length; at += 1) await page.keyboard.press("ArrowRight");
    await page.locator(".react-flow__node", { hasText: /^x/ }).first().waitFor({ state: "attached" });
    await page.evaluate(watchNames);
    const times = [];
    let name = "x";
    for (let at = 0; at < KEYS; at += 1) {
      name += "x";
      await page.keyboard.press("x");
      times.push(await page.waitForFunction((name) => window.shownMs.get(name), name).then((found) => found.jsonValue()));
      await page.evaluate(() => window.shownMs.clear());
    }
    say(`key press to canvas, ${size} nodes`, spread(times));
    await page.context().close();
  }
}

/** Runs in the page: how long after the last key press a node of a name is on screen. */
function watchNames() {
  window.shownMs = new Map();
  let pressed = 0;
  addEventListener("keydown", (event) => (pressed = event.timeStamp), true);
  new MutationObserver(() => {
    const names = [...document.querySelectorAll(".react-flow__node")].map((node) => node.dataset.id);
    // What is changed now is on screen after the next frame.
    requestAnimationFrame(() => {
      const now = performance.now();
      for (const name of names) if (/^x+$/.test(name) && !window.shownMs.has(name)) window.shownMs.set(name, now - pressed);
    });
  }).observe(document.querySelector(".react-flow__nodes"), { childList: true, subtree: true });
}

/** Frames a second while 500 nodes are moved and zoomed. */
async function pan() {
  const page = await openStudio(chainOf(500));
  await page.mouse.move(1000, 450);
  for (let at = 0; at < 6; at += 1) await page.mouse.wheel(0, -200);
  for (const [name, move] of [
    ["pan", async (at) => page.mouse.move(1000 + 160 * Math.sin(at / 9), 450 + 200 * Math.cos(at / 7))],
    ["zoom", async (at) => page.mouse.wheel(0, at % 40 < 20 ? 40 : -40)],
  ]) {
    if (name === "pan") await page.mouse.down();
    await page.evaluate(countFrames);
    const end = Date.now() + 4_000;
    for (let at = 0; Date.now() < end; at += 1) await move(at);
    const { frames, longest } = await page.evaluate(() => window.stopFrames());
    await page.mouse.up();
    say(`${name}, 500 nodes`, `${frames.toFixed(0)} frames a second, longest ${ms(longest)}`);
  }
  await page.context().close();
}

/** Runs in the page. */
function countFrames() {
  const times = [];
  let running = true;
  const tick = (time) => {
    times.push(time);
    if (running) requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
  window.stopFrames = () => {
    running = false;
    const gaps = times.slice(1).map((time, at) => time - times[at]);
    const mean = (times.at(-1) - times[0]) / gaps.length;
    return { frames: 1_000 / mean, longest: Math.max(...gaps) };
  };
}

/** From a click on a run in the list to its trace, all spans there. */
async function trace() {
  const page = await newPage();
  await page.goto(`${server.address}/executions`);
  const id = await page.evaluate(execute, { workflow: { file: "wide.py", source: fanOut(SPANS - 1) }, input: {} });
  while (!(await page.evaluate(isDone, id))) await page.waitForTimeout(500);
  for (let round = 1; round <= 3; round += 1) {
    await page.goto(`${server.address}/executions`);
    const link = page.locator(`a[href*="${id}"]`).first();
    await link.waitFor();
    await link.hover();
    const taken = await page.evaluate(
      ([id, spans]) =>
        new Promise((resolve) => {
          const begin = performance.now();
          const observer = new MutationObserver(() => {
            if (!document.querySelector(`li[aria-setsize="${spans}"]`)) return;
            observer.disconnect();
            requestAnimationFrame(() => resolve(performance.now() - begin));
          });
          observer.observe(document.body, { childList: true, subtree: true, attributes: true });
          document.querySelector(`a[href*="${id}"]`).click();
        }),
      [id, SPANS],
    );
    say(`trace of ${SPANS} spans opened, round ${round}`, ms(taken));
  }
  await page.context().close();
}

/** From the moment a provider writes a token to the frame that shows it. */
async function tokens() {
  const page = await openStudio(streaming());
  const run = page.getByRole("complementary", { name: "Run" });
  await page.evaluate(() => {
    window.lateMs = [];
    new MutationObserver(() => {
      const text = document.querySelector("aside [aria-label='write']")?.textContent ?? "";
      const sent = Number(text.match(/(\d{13}) ?$/)?.[1]);
      if (!sent || sent === window.lastSent) return;
      window.lastSent = sent;
      requestAnimationFrame(() => window.lateMs.push(Date.now() - sent));
    }).observe(document.body, { childList: true, subtree: true, characterData: true });
  });
  await page.getByRole("toolbar", { name: "Workflow" }).getByRole("button", { name: "Run", exact: true }).click();
  await run.getByRole("button", { name: "Run", exact: true }).click();
  await run.getByText("Done", { exact: true }).first().waitFor({ timeout: 60_000 });
  say("token on the wire to token on screen", spread(await page.evaluate(() => window.lateMs)));
  await page.context().close();
}

async function newPage() {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, permissions: ["clipboard-read", "clipboard-write"] });
  return context.newPage();
}

async function openStudio(source) {
  const page = await newPage();
  await page.addInitScript((source) => localStorage.setItem("agentweaver.draft.new", source), source);
  await page.goto(`${server.address}/workflows/new`);
  await page.locator(".react-flow__node").first().waitFor();
  await page.getByRole("textbox", { name: "Code" }).waitFor({ state: "attached" });
  return page;
}

/** Runs in the page: queues an execution and gives its id. */
async function execute(body) {
  const token = document.querySelector('meta[name="agentweaver-token"]').content;
  const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
  const answer = await fetch("/api/v1/executions", { method: "POST", headers, body: JSON.stringify({ priority: 5, ...body }) });
  const said = await answer.json();
  if (!answer.ok) throw new Error(JSON.stringify(said));
  return said.execution_id;
}

/** Runs in the page. */
async function isDone(id) {
  const token = document.querySelector('meta[name="agentweaver-token"]').content;
  const answer = await fetch(`/api/v1/executions/${id}`, { headers: { Authorization: `Bearer ${token}` } });
  const { status, error } = await answer.json();
  if (status === "failed") throw new Error(JSON.stringify(error));
  return status === "completed";
}

async function serve() {
  const env = {
    ...process.env,
    AGENTWEAVER_DATA: mkdtempSync(join(tmpdir(), "agentweaver-bench-ui-")),
    OPENAI_BASE_URL: provider.address,
    OPENAI_API_KEY: "none",
  };
  const child = spawn(options.binary, ["serve", "--listen", "127.0.0.1:0"], { env });
  const address = await new Promise((resolve, reject) => {
    const read = (piece) => {
      const said = /http:\/\/127\.0\.0\.1:\d+/.exec(String(piece));
      if (said) resolve(said[0]);
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    child.on("error", reject);
    child.on("exit", (code) => reject(new Error(`the server ended with ${code}`)));
  });
  return { process: child, address };
}

function spread(times) {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (part) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
  return `p50 ${ms(at(0.5))}, p95 ${ms(at(0.95))}, longest ${ms(sorted.at(-1))} (${sorted.length})`;
}

function ms(time) {
  return `${time.toFixed(0)} ms`;
}

function say(what, figure) {
  console.log(`${what.padEnd(44)} ${figure}`);
}
