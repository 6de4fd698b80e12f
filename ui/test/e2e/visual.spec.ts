import { expect, test } from "@playwright/test";
import { StudioView } from "./studio";

// Screens whose content is always the same. A baseline is made anew with
// `npm run e2e -- visual --update-snapshots`.
test.use({ deviceScaleFactor: 1 });
const TOLERANCE = { maxDiffPixelRatio: 0.02, animations: "disabled" } as const;

for (const colorScheme of ["light", "dark"] as const) {
  test.describe(colorScheme, () => {
    test.use({ colorScheme });

    test("the Studio looks as it did", async ({ page }) => {
      const studio = new StudioView(page);
      await studio.open("intent_triage");
      await expect(page.getByText("No problems")).toBeVisible();
      await studio.node("triage").click();
      await expect(page.getByRole("region", { name: "Node triage" })).toBeVisible();
      await page.mouse.move(0, 0);
      // What waits for a person is counted there, and differs from run to run.
      await expect(page).toHaveScreenshot(`studio-${colorScheme}.png`, { ...TOLERANCE, mask: [page.getByRole("navigation")] });
    });

    test("the templates look as they did", async ({ page }) => {
      await page.goto("/templates");
      await expect(page.getByRole("link", { name: /Write and review/ })).toBeVisible();
      await expect(page).toHaveScreenshot(`templates-${colorScheme}.png`, { ...TOLERANCE, mask: [page.getByRole("navigation")] });
    });
  });
}
