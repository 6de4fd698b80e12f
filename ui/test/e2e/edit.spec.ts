import { expect, test } from "@playwright/test";
import { StudioView } from "./studio";

const CLIPBOARD = ["clipboard-read", "clipboard-write"];

const CHECK = '\n\ndef check(state: State) -> dict:\n    return {}\n\n\ngraph.add_node("check", check)\n';
const ARROW = 'graph.add_edge("greet", "check")';

test("typing in the code moves the canvas", async ({ page }) => {
  const studio = new StudioView(page);
  await studio.open();
  await expect(studio.node("greet")).toBeVisible();
  await studio.typeAtEnd(`${CHECK}${ARROW}\n`);
  await expect(studio.node("check")).toBeVisible();
});

test("broken code keeps the last picture and says where it breaks", async ({ page }) => {
  const studio = new StudioView(page);
  await studio.open();
  await studio.typeAtEnd("\ndef broken(:\n");
  await expect(page.getByRole("status").filter({ hasText: "The picture is the last one" })).toBeVisible();
  await expect(studio.node("greet")).toBeVisible();
  await page.keyboard.press("Control+Z");
  await expect(page.getByText("No problems")).toBeVisible();
});

test("what was typed outlives a reload", async ({ page }) => {
  const studio = new StudioView(page);
  await studio.open();
  await studio.typeAtEnd(`${CHECK}${ARROW}\n`);
  await expect(studio.node("check")).toBeVisible();
  await page.reload();
  await studio.ready();
  await expect(studio.node("check")).toBeVisible();
});

test("an edit on the canvas changes only its own bytes, and undo takes it back", async ({ page }) => {
  const studio = new StudioView(page);
  await studio.open();
  await studio.typeAtEnd("# Größe, 大きさ 🧵\n");
  await expect.poll(() => studio.text()).toContain("🧵");
  const before = await studio.text();
  await studio.node("greet").click();
  const name = page.getByRole("region", { name: "Node greet" }).getByLabel("Name");
  await name.fill("welcome");
  await name.press("Enter");
  await expect(studio.node("welcome")).toBeVisible();
  expect(await studio.text()).toBe(before.replaceAll('"greet"', '"welcome"'));
  await studio.node("welcome").focus();
  await page.keyboard.press("Control+Z");
  await expect(studio.node("greet")).toBeVisible();
  expect(await studio.text()).toBe(before);
});

test("an arrow is drawn and a node deleted on the canvas", async ({ page }) => {
  const studio = new StudioView(page);
  await studio.open();
  await studio.typeAtEnd(CHECK);
  await expect(studio.node("check")).toBeVisible();
  const from = studio.node("greet").locator(".react-flow__handle-bottom");
  const to = studio.node("check").locator(".react-flow__handle-top");
  await from.dragTo(to, { force: true });
  await expect.poll(() => studio.text()).toContain(ARROW);
  await studio.node("check").click();
  await page.keyboard.press("Delete");
  await expect(studio.node("check")).toHaveCount(0);
  await expect.poll(() => studio.text()).not.toContain('add_node("check"');
});

test("a graph of three nodes is built with the keyboard alone", async ({ page }) => {
  const studio = new StudioView(page);
  await studio.open();
  await studio.node("greet").focus();
  await page.keyboard.press("Enter");
  await studio.add("llm");
  await expect(page.getByRole("region", { name: "Node llm" })).toBeVisible();
  await studio.node("llm").focus();
  await studio.add("function");
  await expect(studio.node("step")).toBeVisible();
  await expect.poll(() => studio.text()).toContain('graph.add_edge("llm", "step")');
});

test("a workflow is saved, found in the list and opened again", async ({ page }) => {
  const studio = new StudioView(page);
  await studio.open("review_loop");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await expect(page).toHaveURL(/\/workflows\/[0-9a-f-]{36}/);
  await page.goto("/workflows");
  await page.getByRole("table", { name: "Workflows" }).getByRole("link", { name: "Write and review" }).first().click();
  await studio.ready();
  await studio.expectSaved();
});

test("a workflow is renamed, its changes are thrown away, and an older version is brought back", async ({ page }) => {
  const studio = new StudioView(page);
  await studio.open("review_loop");
  const more = page.getByRole("button", { name: "More about this workflow" });
  await more.click();
  await page.getByRole("menuitem", { name: "Rename" }).click();
  await page.getByRole("dialog").getByLabel("Name").fill("My reviews");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { level: 1, name: "My reviews" })).toBeVisible();
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await expect(page).toHaveURL(/\/workflows\/[0-9a-f-]{36}/);
  await studio.ready();
  await studio.expectSaved();
  await studio.typeAtEnd("# second\n");
  await expect.poll(() => studio.text()).toContain("# second");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await studio.expectSaved();
  await studio.typeAtEnd("# third\n");
  await expect.poll(() => studio.text()).toContain("# third");
  await more.click();
  await page.getByRole("menuitem", { name: "Discard changes" }).click();
  await studio.expectSaved();
  await more.click();
  await page.getByRole("menuitem", { name: "Versions" }).click();
  const versions = page.getByRole("dialog", { name: "Versions" });
  await expect(versions.getByRole("list", { name: "Versions" }).getByRole("listitem")).toHaveCount(2);
  await expect(versions.getByText("# second")).toBeVisible();
  await versions.getByRole("button", { name: "Bring this version back" }).click();
  await expect.poll(() => studio.text()).not.toContain("# second");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await studio.expectSaved();
  await page.goto("/workflows");
  await expect(page.getByRole("table", { name: "Workflows" }).getByRole("link", { name: "My reviews" }).first()).toBeVisible();
});

test("a workflow that was changed elsewhere is shown beside one's own, and neither is lost", async ({ page, browser }) => {
  const studio = new StudioView(page);
  await studio.open("review_loop");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await expect(page).toHaveURL(/\/workflows\/[0-9a-f-]{36}/);
  await studio.ready();
  await studio.typeAtEnd("# mine\n");
  await expect.poll(() => studio.text()).toContain("# mine");
  // Another browser: tabs of one share what is typed and not saved.
  const other = new StudioView(await (await browser.newContext({ permissions: CLIPBOARD })).newPage());
  await other.page.goto(page.url());
  await other.ready();
  await other.typeAtEnd("# theirs\n");
  await other.page.getByRole("button", { name: "Save", exact: true }).click();
  await other.expectSaved();
  await page.getByRole("button", { name: "Save", exact: true }).click();
  const dialog = page.getByRole("dialog", { name: "This workflow was changed elsewhere" });
  await expect(dialog.getByText("# theirs")).toBeVisible();
  await expect(dialog.getByText("# mine")).toBeVisible();
  await dialog.getByRole("button", { name: "Keep mine" }).click();
  await studio.expectSaved();
  // The other one has typed nothing since, and follows.
  await expect(other.page.getByText("# mine")).toBeVisible();
  await other.expectSaved();
});

const DECIDES = `\n\ndef check(state: State) -> dict:\n    return {}\n\n\ngraph.add_node("check", check)\n`;

test("a function decides where a node leads, and its answers are changed on the canvas", async ({ page }) => {
  const studio = new StudioView(page);
  await studio.open();
  await studio.typeAtEnd(DECIDES);
  await studio.node("greet").click();
  const panel = page.getByRole("region", { name: "Node greet" });
  await panel.getByRole("button", { name: "Let a function decide" }).click();
  await expect.poll(() => studio.text()).toContain('graph.add_conditional_edges("greet", after_greet, {"end": END})');
  await panel.getByLabel("New answer").fill("again");
  await studio.choose(panel.getByRole("combobox", { name: "Where it leads" }), "check");
  await expect.poll(() => studio.text()).toContain('{"end": END, "again": "check"}');
  const answer = panel.getByLabel("Answer", { exact: true }).last();
  await answer.fill("twice");
  await answer.press("Enter");
  await expect.poll(() => studio.text()).toContain('"twice": "check"');
  await panel.getByRole("button", { name: "Remove the way to twice" }).click();
  await expect.poll(() => studio.text()).toContain('graph.add_conditional_edges("greet", after_greet, {"end": END})');
});

test("the entry and an arrow are led elsewhere", async ({ page }) => {
  const studio = new StudioView(page);
  await studio.open();
  await studio.typeAtEnd(DECIDES);
  await studio.node("Start").click();
  const entry = page.getByRole("region", { name: "Where the graph begins" });
  await studio.choose(entry.getByRole("combobox", { name: "Runs first" }), "check");
  await expect.poll(() => studio.text()).toContain('graph.add_edge(START, "check")');
  await studio.node("greet").click();
  const node = page.getByRole("region", { name: "Node greet" });
  await studio.choose(node.getByRole("combobox", { name: "Leads to" }), "check");
  await expect.poll(() => studio.text()).toContain('graph.add_edge("greet", "check")');
  expect(await studio.text()).not.toContain('graph.add_edge("greet", END)');
});

test("fields of the state are added, changed and removed", async ({ page }) => {
  const studio = new StudioView(page);
  await studio.open();
  await page.getByRole("region", { name: "Canvas" }).getByRole("button", { name: "State", exact: true }).click();
  const panel = page.getByRole("region", { name: "State", exact: true });
  await panel.getByLabel("New field").fill("notes");
  await panel.getByRole("combobox", { name: "Type" }).last().fill("list[str]");
  await panel.getByRole("combobox", { name: "How writes merge" }).last().fill("add");
  await panel.getByRole("button", { name: "Add field" }).click();
  await expect.poll(() => studio.text()).toContain("notes: Annotated[list[str], operator.add]");
  const type = panel.getByRole("group", { name: "notes" }).getByRole("combobox", { name: "Type" });
  await type.fill("list[int]");
  await type.blur();
  await expect.poll(() => studio.text()).toContain("notes: Annotated[list[int], operator.add]");
  await panel.getByRole("button", { name: "Remove notes" }).click();
  await expect.poll(() => studio.text()).not.toContain("notes");
});

test("a field of the state is renamed in all code that is sure to mean it, and what is not sure is said", async ({ page }) => {
  const studio = new StudioView(page);
  await studio.open("approval_flow");
  // What is kept is what was typed.
  await studio.typeAtEnd("# amount\n");
  await expect.poll(() => studio.text()).toContain("# amount");
  const before = await studio.text();
  await page.getByRole("region", { name: "Canvas" }).getByRole("button", { name: "State", exact: true }).click();
  const panel = page.getByRole("region", { name: "State", exact: true });
  const name = panel.getByRole("textbox", { name: "Rename assessment" });
  await name.fill("verdict");
  await name.press("Enter");
  await expect.poll(() => studio.text()).toContain("    verdict: str\n");
  const after = await studio.text();
  expect(after).toContain('update={"verdict": reply.text');
  expect(after).toContain('state["verdict"]');
  // The question to the person has a key of that name too, which is not the state's.
  expect(after).toContain('"assessment": state["verdict"]');
  await studio.node("ask").focus();
  await page.keyboard.press("Control+Z");
  await expect.poll(() => studio.text()).toBe(before);
  await studio.typeAtEnd('graph.add_node("any", lambda state: open(state))\n');
  await expect(studio.node("any")).toBeVisible();
  await name.fill("verdict");
  await name.press("Enter");
  await expect(page.getByText(/what `open` does with the keys is not known \(line \d+\)/)).toBeVisible();
  await expect(name).toHaveValue("assessment");
});

test("an edit of a graph that is partly known only when it runs is shown as text first", async ({ page }) => {
  const studio = new StudioView(page);
  await studio.open();
  await studio.typeAtEnd("for name in open('names.txt'):\n    graph.add_node(name, greet)\n");
  await expect.poll(() => studio.text()).toContain("names.txt");
  const before = await studio.text();
  await studio.node("greet").click();
  const name = page.getByRole("region", { name: "Node greet" }).getByLabel("Name");
  await name.fill("welcome");
  await name.press("Enter");
  const dialog = page.getByRole("dialog", { name: "Look at this change first" });
  await expect(dialog).toContainText("Line ");
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await expect(dialog).toHaveCount(0);
  expect(await studio.text()).toBe(before);
  await name.fill("welcome");
  await name.press("Enter");
  await dialog.getByRole("button", { name: "Make this change" }).click();
  await expect(studio.node("welcome")).toBeVisible();
  expect(await studio.text()).toBe(before.replaceAll('"greet"', '"welcome"'));
});
