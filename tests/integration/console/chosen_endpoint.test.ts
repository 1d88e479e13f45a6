import { expect, test } from "vitest";
import { deploy } from "../../../src/testing/index.ts";
import { givenConsole, inBrowser, pageOf } from "../../support/console/given_pages.ts";
import { givenBusyInstallation } from "../../support/console/served_console.ts";

inBrowser();

test("nothing is done by the plan of another endpoint than the one that is chosen", async () => {
  const served = await givenConsole();
  const { waiting } = await givenBusyInstallation(served.deployer);
  const page = await pageOf(served, "omar");
  await page.goto(`${served.url}/#/operations/${waiting}`);
  await page.getByLabel("why, for whoever reads the history").fill("fine");
  await page.getByRole("button", { name: "Approve and carry out" }).click();
  await page.getByText("succeeded").waitFor();
  const churn = await served.deployer.database.modelVersions.getProduction("churn");
  await deploy(served.deployer, churn?.model_version_id ?? "", "production");
  await page.goto(`${served.url}/#/`);
  await page.getByRole("button", { name: "Roll back e2i_remission" }).click();
  const dialog = page.getByRole("dialog");
  const rollBack = dialog.getByRole("button", { name: "Roll back" });
  await dialog.getByText("100 % e2i_remission v2").waitFor();
  const planned = Promise.withResolvers<void>();
  await page.route("**/v1/plans", async (route) => {
    await planned.promise;
    await route.continue();
  });
  await dialog.getByRole("combobox").selectOption("e2i_churn");
  await dialog.getByText("Planning …").waitFor();
  expect(await rollBack.isDisabled()).toBe(true);
  planned.resolve();
  // Nothing served before it: there is no plan, and still no button.
  await dialog
    .getByText(/no earlier|nothing|never/i)
    .first()
    .waitFor();
  expect(await rollBack.isDisabled()).toBe(true);
});
