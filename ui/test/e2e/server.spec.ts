import { mkdtempSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@playwright/test";
import { OwnServer } from "./server";
import { StudioView } from "./studio";

const STREAMING = `from typing import TypedDict
from langgraph.graph import END, START, StateGraph
from agentweaver import llm


class State(TypedDict):
    text: str


def write(state: State) -> dict:
    return {"text": llm("openai/gpt-4o-mini", "Count.").text}


graph = StateGraph(State)
graph.add_node("write", write)
graph.add_edge(START, "write")
graph.add_edge("write", END)
app = graph.compile()
`;
const WORDS = Array.from({ length: 40 }, (_, at) => `word${at}`).join(" ");
const SLOWLY = `name: slow\npiece_delay_ms: 120\nchunk: 7\ndefault:\n  say: ${WORDS}\n`;

test("a page that is loaded again in the middle of an answer shows all of it in the end", async ({ page }) => {
  const studio = new StudioView(page);
  await studio.openKept(STREAMING, SLOWLY);
  await studio.start();
  await expect(studio.run.getByText(/word3/)).toBeVisible();
  await page.reload();
  await studio.ready();
  await studio.expectStatus("Running");
  await studio.expectStatus("Done");
  await studio.run.getByRole("tab", { name: "State" }).click();
  await studio.run.getByRole("button", { name: "Show all" }).first().click();
  await expect(studio.run.getByText(/word0 .* word39/)).toBeVisible();
});

test("a server that is killed and comes back finds the page as it was, and the run goes on", async ({ page }) => {
  const server = new OwnServer();
  await server.start();
  try {
    const studio = new StudioView(page);
    await page.goto(`${server.address}/workflows/new?template=approval_flow`);
    await studio.ready();
    await studio.start();
    await studio.expectStatus("Waiting");
    await server.kill();
    const notice = page.getByText("The server does not answer. Your work is kept here");
    await expect(notice).toBeVisible();
    await studio.typeAtEnd('graph.add_node("later", refuse)\n');
    await server.start();
    await expect(notice).toHaveCount(0);
    await expect(studio.node("later")).toBeVisible();
    await studio.run.getByRole("form", { name: "A question" }).getByRole("button", { name: "yes" }).click();
    await studio.expectStatus("Done");
    await expect(studio.node("pay").getByLabel("Done")).toBeVisible();
  } finally {
    await server.kill();
  }
});

test("a file of a folder shows on the canvas as it is edited, and the canvas edits the file", async ({ page }) => {
  const folder = mkdtempSync(join(tmpdir(), "agentweaver-folder-"));
  const file = join(folder, "greeter.py");
  const text = STREAMING.replaceAll("write", "greet");
  await writeFile(file, text);
  const server = new OwnServer(["--folder", folder]);
  await server.start();
  try {
    const studio = new StudioView(page);
    await page.goto(`${server.address}/workflows`);
    await page.getByRole("table", { name: "Workflows" }).getByRole("link", { name: /greeter/ }).first().click();
    await studio.ready();
    await writeFile(file, text.replace("app =", 'graph.add_node("outside", greet)\napp ='));
    await expect(studio.node("outside")).toBeVisible();
    await studio.expectSaved();
    await studio.node("greet").click();
    const name = page.getByRole("region", { name: "Node greet" }).getByLabel("Name");
    await name.fill("welcome");
    await name.press("Enter");
    await expect.poll(() => readFile(file, "utf8")).toContain('graph.add_node("welcome", greet)');
    await studio.expectSaved();
    await studio.typeAtEnd("# mine\n");
    await writeFile(file, `${await readFile(file, "utf8")}# theirs\n`);
    await page.getByRole("button", { name: "Save", exact: true }).click();
    const dialog = page.getByRole("dialog", { name: "This workflow was changed elsewhere" });
    await expect(dialog.getByText("# theirs")).toBeVisible();
    await expect(dialog.getByText("# mine")).toBeVisible();
  } finally {
    await server.kill();
  }
});

test("a graph of 500 nodes is drawn, found in, and follows a key press", async ({ page }) => {
  const names = Array.from({ length: 500 }, (_, at) => `n${at}`);
  const body = names.map((name) => `graph.add_node("${name}", greet)\n`).join("");
  const edges = names.slice(1).map((name, at) => `graph.add_edge("n${at - (at % 3)}", "${name}")\n`).join("");
  const head = STREAMING.replaceAll("write", "greet").split("graph.add_node")[0]!;
  const studio = new StudioView(page);
  await studio.openKept(`${head}${body}graph.add_edge(START, "n0")\n${edges}app = graph.compile()\n`);
  await page.getByRole("button", { name: "Outline" }).click();
  await expect(page.getByRole("treeitem")).toHaveCount(500);
  await studio.typeAtEnd('graph.add_node("last", greet)\n');
  await expect(page.getByRole("treeitem")).toHaveCount(501);
  await page.getByRole("treeitem", { name: "Function n499", exact: true }).click();
  await expect(page.getByRole("region", { name: "Node n499" })).toBeVisible();
  await expect(studio.node("n499")).toBeInViewport();
});

test("a value of five megabytes leaves the page at ease", async ({ page }) => {
  const studio = new StudioView(page);
  await studio.openKept(STREAMING.replace('llm("openai/gpt-4o-mini", "Count.").text', '"0123456789" * 500_000'));
  await studio.start();
  await studio.expectStatus("Done");
  await page.goto(`/executions/${new URL(page.url()).searchParams.get("run")}?tab=state`);
  await expect(page.getByText(/^0123456789/)).toBeVisible();
  await page.getByRole("tab", { name: "History" }).click();
  await expect(page.getByRole("button", { name: "Run on from here" })).toBeVisible();
});
