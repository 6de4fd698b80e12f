import AxeBuilder from "@axe-core/playwright";
import { expect, type Page, test } from "@playwright/test";
import { StudioView } from "./studio";

const PAGES = ["/", "/workflows", "/executions", "/approvals", "/templates", "/monitoring", "/settings"];

for (const colorScheme of ["light", "dark"] as const) {
  test.describe(`in ${colorScheme}`, () => {
    test.use({ colorScheme });

    test("axe finds nothing on any page", async ({ page }) => {
      for (const path of PAGES) {
        await page.goto(path);
        await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
        await expectAccessible(page, path);
      }
    });

    test("axe finds nothing in the Studio with a run, nor at the run", async ({ page }) => {
      const studio = new StudioView(page);
      await studio.open("approval_flow");
      await studio.start();
      await studio.expectStatus("Waiting");
      await studio.node("assess").click();
      await expectAccessible(page, "studio");
      await studio.canvas.getByRole("button", { name: "State", exact: true }).click();
      await expect(page.getByRole("textbox", { name: "Rename amount" })).toBeVisible();
      await studio.run.getByRole("tab", { name: "State" }).click();
      await studio.run.getByRole("button", { name: "Edit state" }).click();
      await expect(studio.run.getByRole("form", { name: "Edit state" })).toBeVisible();
      await expectAccessible(page, "state");
      await page.goto(`/executions/${new URL(page.url()).searchParams.get("run")}`);
      await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
      await expectAccessible(page, "run");
    });
  });
}

async function expectAccessible(page: Page, name: string) {
  const { violations } = await new AxeBuilder({ page })
    .withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"])
    // The editor's own parts are checked by its makers.
    .exclude(".monaco-editor")
    .analyze();
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(" ")).slice(0, 4).join(" | ")}`);
  expect(found, name).toEqual([]);
}

test("no other host is asked, and the first load is below a megabyte without the editor", async ({ page, baseURL }) => {
  const foreign: string[] = [];
  const sizes: Promise<number>[] = [];
  page.on("response", (response) => {
    const url = new URL(response.url());
    if (url.protocol !== "data:" && url.origin !== baseURL) foreign.push(response.url());
    const isEditor = /CodeEditor|monaco|editor\.worker|python-/.test(url.pathname);
    const isAsset = url.pathname.startsWith("/assets/");
    if (isAsset && !isEditor) sizes.push(response.request().sizes().then((size) => size.responseBodySize));
  });
  await page.goto("/");
  await new StudioView(page).open("approval_flow");
  const bytes = (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
  expect(foreign).toEqual([]);
  expect(bytes).toBeGreaterThan(100_000);
  expect(bytes).toBeLessThan(1_000_000);
});

for (const [language, heading] of [
  ["en", "Settings"],
  ["zh-CN", "设置"],
  ["ja", "設定"],
] as const) {
  test(`speaks ${language}`, async ({ page }) => {
    await page.addInitScript((language) => localStorage.setItem("agentweaver.language", language), language);
    await page.goto("/settings");
    await expect(page.getByRole("heading", { level: 1, name: heading })).toBeVisible();
    await expect(page.locator("html")).toHaveAttribute("lang", language);
  });
}

test("every word of a page comes from the catalogs", async ({ page }) => {
  await page.addInitScript(() => localStorage.setItem("agentweaver.language", "pseudo"));
  for (const path of PAGES) {
    await page.goto(path);
    await expect(page.getByRole("heading", { level: 1 })).toContainText("⟦");
    const plain = await page.evaluate(() => {
      // Content: names, times, what a template or a run says of itself.
      const content = "code, kbd, time, td, dd, form, script, style, a[href*=template], a[href^='/executions/']";
      const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      const found: string[] = [];
      for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const text = node.textContent?.trim() ?? "";
        const parent = node.parentElement;
        if (!parent || parent.closest(content) || !/[a-z]{3}/i.test(text) || !parent.checkVisibility()) continue;
        if (!text.includes("⟦") && text !== "AgentWeaver") found.push(text);
      }
      return found;
    });
    expect(plain, path).toEqual([]);
  }
});

test("on a phone nothing is wider than the screen", async ({ page }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  for (const path of [...PAGES, "/workflows/new?template=approval_flow"]) {
    await page.goto(path);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    expect(await page.evaluate(() => document.documentElement.scrollWidth), path).toBeLessThanOrEqual(390);
  }
});

test("a server that is gone is said, and what is typed stays", async ({ page }) => {
  const studio = new StudioView(page);
  await studio.open();
  await page.route("**/api/v1/**", (route) => route.abort());
  const notice = page.getByText("The server does not answer. Your work is kept here");
  await expect(notice).toBeVisible();
  await studio.typeAtEnd("# while it was away\n");
  await page.unroute("**/api/v1/**");
  await expect(notice).toHaveCount(0);
  await expect.poll(() => studio.text()).toContain("# while it was away");
});
