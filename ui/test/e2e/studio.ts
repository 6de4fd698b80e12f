import { expect, type Locator, type Page } from "@playwright/test";

/** The Studio as a person sees it: by roles and names. */
export class StudioView {
  readonly canvas: Locator;
  readonly run: Locator;

  constructor(readonly page: Page) {
    this.canvas = page.getByRole("region", { name: "Canvas" });
    this.run = page.getByRole("complementary", { name: "Run" });
  }

  async open(template?: string) {
    await this.page.goto(template ? `/workflows/new?template=${template}` : "/workflows/new");
    await this.ready();
  }

  async ready() {
    await expect(this.canvas.locator(".react-flow__node").first()).toBeVisible();
    await expect(this.page.getByRole("textbox", { name: "Code" })).toBeAttached();
  }

  node(name: string): Locator {
    return this.canvas.locator(".react-flow__node", { has: this.page.getByText(name, { exact: true }) });
  }

  /** The text that is typed and not saved yet, which the page keeps against its loss. */
  async text(): Promise<string> {
    return this.page.evaluate(() => {
      const key = Object.keys(localStorage).find((key) => key.startsWith("agentweaver.draft."));
      return key === undefined ? "" : (localStorage.getItem(key) ?? "");
    });
  }

  async typeAtEnd(text: string) {
    await this.page.getByRole("textbox", { name: "Code" }).focus();
    await this.page.keyboard.press("Control+End");
    // Pasted, as typed lines would be indented by the editor.
    await this.page.evaluate((text) => navigator.clipboard.writeText(text), text);
    await this.page.keyboard.press("Control+V");
  }

  async expectSaved() {
    await expect(this.page.getByRole("main").getByText("Saved", { exact: true })).toBeVisible();
  }

  /** Keeps a workflow at the server and opens it. */
  async openKept(source: string, script?: string) {
    await this.page.goto("/workflows");
    const id = await this.page.evaluate(
      async (body) => {
        const token = document.querySelector<HTMLMetaElement>('meta[name="agentweaver-token"]')!.content;
        const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
        const made = await fetch("/api/v1/workflows", { method: "POST", headers, body: JSON.stringify(body) });
        return ((await made.json()) as { id: string }).id;
      },
      { name: `test ${Math.random()}`, file: "test.py", source, script },
    );
    await this.page.goto(`/workflows/${id}`);
    await this.ready();
  }

  /** Adds a node with the palette: the letters that are typed, and Enter. */
  async add(letters: string) {
    await this.page.keyboard.press("a");
    await expect(this.page.getByRole("textbox", { name: "Search nodes" })).toBeFocused();
    await this.page.keyboard.type(letters);
    await this.page.keyboard.press("Enter");
  }

  /** Chooses from a list that opens below a field. */
  async choose(field: Locator, option: string) {
    await field.click();
    await this.page.getByRole("option", { name: option, exact: true }).click();
  }

  async start() {
    await this.page.getByRole("toolbar", { name: "Workflow" }).getByRole("button", { name: "Run", exact: true }).click();
    await this.run.getByRole("button", { name: /^Run( again)?$/ }).click();
  }

  async expectStatus(status: string) {
    await expect(this.run.getByText(status, { exact: true }).first()).toBeVisible();
  }
}
