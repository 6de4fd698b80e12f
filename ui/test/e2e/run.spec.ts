import { expect, test } from "@playwright/test";
import { StudioView } from "./studio";

test("the first workflow: opened from home, run, asked, answered, done", async ({ page }) => {
  await page.goto("/");
  await page.getByRole("link", { name: "Open the first workflow" }).click();
  const studio = new StudioView(page);
  await studio.ready();
  await studio.start();
  await studio.expectStatus("Waiting");
  await expect(studio.node("ask").getByLabel("Waiting for an answer")).toBeVisible();
  await expect(studio.node("assess").getByLabel("Done")).toBeVisible();
  const question = studio.run.getByRole("form", { name: "A question" });
  await expect(question).toContainText("Refund 79.90 for order A-17?");
  await question.getByRole("button", { name: "yes" }).click();
  await studio.expectStatus("Done");
  await expect(studio.node("pay").getByLabel("Done")).toBeVisible();
  await studio.run.getByRole("tab", { name: "State" }).click();
  await expect(studio.run.getByText("paid 79.90 for A-17 (approved)")).toBeVisible();
});

test("a page that is loaded again shows the run as it stands", async ({ page }) => {
  const studio = new StudioView(page);
  await studio.open("approval_flow");
  await studio.start();
  await studio.expectStatus("Waiting");
  await page.reload();
  await studio.ready();
  await studio.expectStatus("Waiting");
  await expect(studio.node("assess").getByLabel("Done")).toBeVisible();
  await expect(studio.node("ask").getByLabel("Waiting for an answer")).toBeVisible();
});

test("another tab answers, and the first goes on", async ({ page, context }) => {
  const studio = new StudioView(page);
  await studio.open("approval_flow");
  await studio.start();
  await studio.expectStatus("Waiting");
  const run = new URL(page.url()).searchParams.get("run");
  const other = await context.newPage();
  await other.goto("/approvals");
  const asked = other.getByRole("listitem").filter({ has: other.locator(`a[href="/executions/${run}"]`) });
  await asked.getByLabel("Another answer").fill('{"amount": 50}');
  await asked.getByRole("button", { name: "Send answer" }).click();
  await studio.expectStatus("Done");
  await studio.run.getByRole("tab", { name: "State" }).click();
  await expect(studio.run.getByText("paid 50.00 for A-17 (another amount)")).toBeVisible();
});

test("a run stops before a node and goes on", async ({ page }) => {
  const studio = new StudioView(page);
  await studio.open("map_reduce_summary");
  await studio.node("join").click();
  await page.getByRole("switch", { name: "Before this node" }).click();
  await studio.start();
  await expect(studio.run.getByText("Stopped before join")).toBeVisible();
  await studio.run.getByRole("button", { name: "Step" }).click();
  await studio.expectStatus("Done");
  await expect(studio.node("join").getByLabel("Done")).toBeVisible();
});

test("a run that stopped is given another state and goes on with it; a fork from the past is compared", async ({ page }) => {
  const studio = new StudioView(page);
  await studio.open("approval_flow");
  await studio.node("pay").click();
  await page.getByRole("switch", { name: "Before this node" }).click();
  await studio.start();
  await studio.run.getByRole("form", { name: "A question" }).getByRole("button", { name: "yes" }).click();
  await expect(studio.run.getByText("Stopped before pay")).toBeVisible();
  await studio.run.getByRole("tab", { name: "State" }).click();
  await studio.run.getByRole("button", { name: "Edit state" }).click();
  const form = studio.run.getByRole("form", { name: "Edit state" });
  await expect(form.getByRole("button", { name: "Change the state" })).toBeDisabled();
  await form.getByLabel("amount").fill("41.5");
  await form.getByRole("button", { name: "Change the state" }).click();
  await expect(studio.run.getByText("41.5")).toBeVisible();
  await studio.run.getByRole("button", { name: "Continue" }).click();
  await studio.expectStatus("Done");
  await expect(studio.run.getByText("paid 41.50 for A-17 (approved)")).toBeVisible();
  // From the first step of the past, with another amount, as a run of its own.
  await studio.run.getByRole("combobox", { name: "State at" }).click();
  await page.getByRole("option", { name: /^Step 1/ }).click();
  await studio.run.getByRole("button", { name: "Edit state" }).click();
  await form.getByLabel("amount").fill("12");
  await form.getByRole("button", { name: "Run on from here" }).click();
  await expect(studio.run.getByText(/^forked from/)).toBeVisible();
  await studio.run.getByRole("link", { name: "Compare" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Two runs beside each other" })).toBeVisible();
});

test("another model is asked for one run, and a run that lacks its key leads to the settings", async ({ page }) => {
  const studio = new StudioView(page);
  await studio.open("approval_flow");
  await page.getByRole("toolbar", { name: "Workflow" }).getByRole("button", { name: "Run", exact: true }).click();
  await studio.run.getByRole("combobox", { name: "Model for all calls" }).fill("mistral/mistral-small-latest");
  await studio.run.getByRole("button", { name: "Run", exact: true }).click();
  await studio.expectStatus("Failed");
  await expect(studio.run.getByRole("alert")).toContainText("`mistral/mistral-small-latest` needs a key for Mistral");
  await studio.run.getByRole("link", { name: "Add the key in the settings" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Settings" })).toBeVisible();
});

test("the past of a run is walked on the canvas", async ({ page }) => {
  const studio = new StudioView(page);
  await studio.open("map_reduce_summary");
  await studio.start();
  await studio.expectStatus("Done");
  await page.getByRole("slider", { name: "Moment of the run" }).press("Home");
  await expect(studio.node("join").getByLabel("Done")).toHaveCount(0);
  await page.getByRole("button", { name: "Back to now" }).click();
  await expect(studio.node("join").getByLabel("Done")).toBeVisible();
});

test("runs are listed, filtered in the address, and opened", async ({ page }) => {
  const studio = new StudioView(page);
  await studio.open("map_reduce_summary");
  await studio.start();
  await studio.expectStatus("Done");
  await page.goto("/executions?status=completed");
  const runs = page.getByRole("table", { name: "Runs" });
  await page.getByRole("textbox", { name: "Search runs" }).fill("no such run");
  await expect(page.getByText("No run matches")).toBeVisible();
  await expect(page).toHaveURL(/status=completed.*q=no/);
  await page.getByRole("textbox", { name: "Search runs" }).fill("map_reduce");
  await runs.getByRole("link", { name: "map_reduce_summary" }).first().click();
  await expect(page.getByRole("heading", { name: /map_reduce_summary/ })).toBeVisible();
  await expect(page.getByTitle(/^summarise/).first()).toBeVisible();
  await page.getByRole("tab", { name: "State" }).click();
  await expect(page.getByText("summary", { exact: true })).toBeVisible();
});

test("the past of a run is compared, and a fork goes on from it with another state", async ({ page }) => {
  const studio = new StudioView(page);
  await studio.open("approval_flow");
  await studio.start();
  await studio.expectStatus("Waiting");
  await page.goto(`/executions/${new URL(page.url()).searchParams.get("run")}?tab=history`);
  const moments = page.getByRole("list", { name: "Moments that were saved" });
  await expect(moments.getByRole("listitem")).toHaveCount(3);
  await moments.getByRole("button", { name: /Start/ }).click();
  await page.getByLabel("Change the state first").fill('{"amount": 12}');
  await page.getByRole("button", { name: "Run on from here" }).click();
  await expect(page.getByText(/^forked from/)).toBeVisible();
  await expect(page.getByRole("heading", { level: 1 })).toContainText("Done");
  await page.getByRole("tab", { name: "State" }).click();
  await expect(page.getByText("paid 12.00 for A-17 (small amount)")).toBeVisible();
  await page.getByRole("link", { name: "Compare" }).first().click();
  await expect(page.getByRole("heading", { level: 1, name: "Two runs beside each other" })).toBeVisible();
  await expect(page.getByText("The second goes on from step 0 of the first. Its state was changed there.")).toBeVisible();
  await expect(page.getByText("They part in step 1: assess")).toBeVisible();
  await expect(page.getByRole("list", { name: "Steps" }).getByRole("button", { name: /assess.*different/ })).toBeVisible();
  await page.getByRole("tab", { name: "State at the end" }).click();
  await expect(page.getByText("paid 12.00 for A-17 (small amount)")).toBeVisible();
});

test("a run is gone through again with its recorded answers", async ({ page }) => {
  const studio = new StudioView(page);
  await studio.open("map_reduce_summary");
  await studio.start();
  await studio.expectStatus("Done");
  await page.goto(`/executions/${new URL(page.url()).searchParams.get("run")}?tab=replay`);
  await page.getByRole("button", { name: "Replay" }).click();
  await expect(page.getByText("Everything was as it was")).toBeVisible();
});

test("only what changed is done again, and what that saved is said", async ({ page }) => {
  const studio = new StudioView(page);
  await studio.open("map_reduce_summary");
  await studio.start();
  await studio.expectStatus("Done");
  await studio.run.getByRole("button", { name: "Run only what changed" }).click();
  await expect(studio.run.getByText(/^Taken from before: 4 of 4 steps/)).toBeVisible();
  await studio.expectStatus("Done");
});
