import type { BrowserContextOptions } from "playwright-core";
import { expect } from "vitest";
import {
  accessibilityProblems,
  drawnBeyondAxes,
  ENDPOINT,
  givenConsole,
  givenContext,
  LOOKS,
  pageOf,
  PICTURES,
} from "./given_pages.ts";
import { givenBusyInstallation, lookOn } from "./served_console.ts";
import { deployersSide, givenProvider } from "../identity/given_provider.ts";

/** Approved by the second person, paused, let go on, challenged, and rolled back. */
export async function seeRolloutThrough(): Promise<void> {
  const served = await givenConsole();
  const { deployer } = served;
  const { waiting } = await givenBusyInstallation(deployer);
  const [ana, omar] = [await pageOf(served, "ana"), await pageOf(served, "omar")];
  await omar.goto(`${served.url}/#/operations/${waiting}`);
  await omar.getByLabel("why, for whoever reads the history").fill("looked at the shadow");
  await omar.getByRole("button", { name: "Approve and carry out" }).click();
  await omar.getByText("succeeded").waitFor();

  await ana.goto(`${served.url}/#/endpoints/${ENDPOINT}`);
  await omar.goto(`${served.url}/#/endpoints/${ENDPOINT}`);
  await ana.getByRole("button", { name: "Pause" }).click();
  await ana.getByRole("dialog").getByRole("button", { name: "Pause" }).click();
  await omar.getByText("paused", { exact: true }).waitFor();
  await omar.getByRole("button", { name: "Resume" }).click();
  await omar.getByRole("dialog").getByRole("button", { name: "Resume" }).click();
  await ana.getByRole("button", { name: "Pause" }).waitFor();

  const open = await deployer.database.rollouts.getOpen(ENDPOINT);
  const [candidate, id] = [open?.deployment_id ?? "", open?.rollout_id ?? ""];
  const weight = async () => (await deployer.database.endpoints.get(ENDPOINT))?.weights[candidate] ?? 0;
  for (let look = 0; look < 120 && (await weight()) < 100; look += 1) await lookOn(deployer, 15);
  await ana.getByRole("img", { name: /Now: e2i_remission v3 100 %/ }).waitFor();
  const failing = { [candidate]: 0.12 };
  for (let look = 0; look < 60 && (await weight()) === 100; look += 1) await lookOn(deployer, 5, failing);
  await ana.getByText("A challenge is under way").waitFor();
  await ana.getByRole("img", { name: /Now: e2i_remission v2 \d+ %, e2i_remission v3 \d+ %/ }).waitFor();
  // The deployer's clock runs ahead of the page's here.
  expect(await drawnBeyondAxes(ana)).toEqual([]);
  await ana.locator(".figures dd").first().filter({ hasNotText: "–" }).waitFor();
  await ana.screenshot({ path: `${PICTURES}/challenged.png`, fullPage: true });
  for (let look = 0; look < 120 && (await weight()) > 0; look += 1) await lookOn(deployer, 5, failing);
  await ana.getByRole("img", { name: /Now: e2i_remission v2 100 %/ }).waitFor();
  await ana
    .getByText(/rolled back/i)
    .first()
    .waitFor();
  await omar.goto(`${served.url}/#/history/remission`);
  await omar
    .getByText(/rolled back/i)
    .first()
    .waitFor();
  await omar.screenshot({ path: `${PICTURES}/rolled-back.png`, fullPage: true });
  expect((await deployer.database.rollouts.get(id))?.status).toBe("rolled_back");
}

/** By the page's button, in each look; a sign-in that fails says why. */
export async function signInAtProvider(): Promise<void> {
  const roles = [{ group: "ml-ops", role: "operator" as const, experiment_id: null }];
  let url = "";
  const found = await givenProvider(async (issuer) => {
    ({ url } = await givenConsole({
      provider: deployersSide(issuer),
      roles,
      sessionHours: 1,
      checkMinutes: 15,
    }));
    return `${url}/v1/oidc/callback`;
  });
  found.people["sub-eve"] = { name: "eve", groups: [] };
  const enter = async (login: string, options: BrowserContextOptions) => {
    const context = await givenContext(options);
    // The provider's own page asks for a font from elsewhere.
    await context.route(/^https:/, (route) => route.abort());
    const page = await context.newPage();
    await page.goto(url);
    await page.getByRole("button", { name: /Sign in at 127\.0\.0\.1/ }).waitFor();
    expect(await accessibilityProblems(page)).toEqual([]);
    const [look] = Object.entries(LOOKS).find(([, one]) => one === options) ?? ["light"];
    await page.screenshot({ path: `${PICTURES}/sign-in-${look}.png` });
    await page.getByRole("button", { name: /Sign in at/ }).click();
    await page.getByPlaceholder("Enter any login").fill(login);
    await page.getByPlaceholder("and password").fill("any");
    await page.locator("button[type=submit]").click();
    await page.getByRole("button", { name: "Continue" }).click();
    return page;
  };
  const ana = await enter("sub-ana", LOOKS.light);
  await ana.getByRole("button", { name: "ana.lopez: sign out" }).waitFor();
  await ana.reload();
  await ana.getByRole("button", { name: "ana.lopez: sign out" }).click();
  await ana.getByRole("button", { name: /Sign in at/ }).waitFor();
  const eve = await enter("sub-eve", LOOKS.narrow);
  await eve
    .getByRole("alert")
    .getByText(/eve has no role here/)
    .waitFor();
  await eve.screenshot({ path: `${PICTURES}/sign-in-refused.png` });
  await enter("sub-ana", LOOKS.dark);
}
