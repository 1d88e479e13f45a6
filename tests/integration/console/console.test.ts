import { gzipSync } from "node:zlib";
import { expect, onTestFinished, test } from "vitest";
import {
  act,
  deploy,
  errorOf,
  inProduction,
  promote,
  readyForProduction,
  register,
} from "../../../src/testing/index.ts";
import { builtConsole } from "../../support/console/built_console.ts";
import {
  accessibilityProblems,
  bottomOf,
  ENDPOINT,
  givenConsole,
  inBrowser,
  isFocused,
  looksOn,
  LOOKS,
  pageOf,
  PICTURES,
  widerThanItsWindow,
} from "../../support/console/given_pages.ts";
import { seeRolloutThrough, signInAtProvider } from "../../support/console/people_at_pages.ts";
import { givenBusyInstallation, lookOn } from "../../support/console/served_console.ts";

inBrowser();

test("the page is small, loads nothing from elsewhere, and its policy lets no code into it", async () => {
  const files = await builtConsole();
  const bytes = [...files.values()].reduce((sum, { body }) => sum + gzipSync(body).byteLength, 0);
  expect(bytes).toBeLessThan(200 * 1024);
  const { url } = await givenConsole();
  const answer = await fetch(`${url}/`);
  const policy = answer.headers.get("content-security-policy") ?? "";
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).not.toContain("unsafe");
  expect(await answer.text()).not.toMatch(/<script>|<style>|style=/);
});

test("a first visit on an empty installation shows the way to a first deployment, and follows along", async () => {
  const served = await givenConsole();
  const page = await pageOf(served, "ana");
  await page.getByRole("heading", { name: "Nothing is served yet" }).waitFor();
  await page.getByText("model-deployer example").waitFor();
  await page.screenshot({ path: `${PICTURES}/first-visit.png` });
  expect(await accessibilityProblems(page)).toEqual([]);
  await givenBusyInstallation(served.deployer);
  await page.getByRole("link", { name: ENDPOINT }).waitFor();
});

test("a second person approves in a second browser, and the first one's page tells it", async () => {
  const served = await givenConsole();
  const { waiting } = await givenBusyInstallation(served.deployer);
  const [ana, omar] = [await pageOf(served, "ana"), await pageOf(served, "omar")];
  await ana.goto(`${served.url}/#/operations/${waiting}`);
  await ana.getByText("somebody else approves it").waitFor();
  await omar.getByRole("link", { name: /Promote e2i_churn v1/ }).click();
  await omar.getByRole("row", { name: /mirrored requests .*1400 ≥ 1000/ }).waitFor();
  await omar.getByLabel("why, for whoever reads the history").fill("<b>looked</b> at the shadow");
  await omar.getByRole("button", { name: "Approve and carry out" }).click();
  await omar.getByText("succeeded").waitFor();
  await ana.getByText("<b>looked</b> at the shadow").waitFor();
  await ana.getByText("succeeded").waitFor();
});

test("a shadow's answers lie beside production's on each request, and those that differ open", async () => {
  const served = await givenConsole();
  await givenBusyInstallation(served.deployer);
  const page = await pageOf(served, "ana");
  await page.goto(`${served.url}/#/endpoints/${ENDPOINT}`);
  await page.getByRole("img", { name: /300 requests that both answered; \d+ of them differently/ }).waitFor();
  await page.getByRole("button", { name: "request-289" }).click();
  await page.locator(".opened").getByText("request-289").waitFor();
  const servers = page.getByRole("region", { name: "Servers and limits" });
  await servers
    .getByText(/autoscaling 1 to 5 at 70 % CPU/)
    .first()
    .waitFor();
});

test("what waits is declined with a reason, and is not carried out", async () => {
  const served = await givenConsole();
  const { waiting } = await givenBusyInstallation(served.deployer);
  const omar = await pageOf(served, "omar");
  await omar.goto(`${served.url}/#/operations/${waiting}`);
  await omar.getByLabel("why, for whoever reads the history").fill("its target is last year's");
  await omar.getByRole("button", { name: "Decline" }).click();
  await omar.getByText("omar declined it: its target is last year's").waitFor();
  expect((await served.deployer.database.operations.get(waiting))?.status).toBe("refused");
  expect(await served.deployer.database.modelVersions.getProduction("churn")).toBeNull();
});

test("a rollout is watched, paused after its plan, and rolled back in two clicks from any view", async () => {
  const served = await givenConsole();
  await givenBusyInstallation(served.deployer);
  const page = await pageOf(served, "omar");
  await page.getByRole("link", { name: ENDPOINT }).click();
  await page.getByRole("img", { name: /Evidence against the candidate over \d+ looks/ }).waitFor();
  const asked = page.waitForRequest(/\/looks\?since=2/);
  const looks = await looksOn(page);
  await lookOn(served.deployer, 10);
  await asked;
  await expect.poll(() => looksOn(page)).toBe(looks + 1);
  await page.getByRole("img", { name: /Traffic over time.*v2 70 %, e2i_remission v3 30 %/ }).waitFor();
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByRole("dialog").getByText("Pause", { exact: true }).last().click();
  await page.getByText("paused", { exact: true }).waitFor();

  await page.goto(`${served.url}/#/history/remission`);
  await page.getByRole("button", { name: "Roll back …" }).click();
  await page.getByRole("dialog").getByText("100 % e2i_remission v2").waitFor();
  await page.screenshot({ path: `${PICTURES}/roll-back.png` });
  await page.getByRole("dialog").getByRole("button", { name: "Roll back" }).click();
  await page.getByText("rolled back", { exact: false }).first().waitFor();
  const endpoint = await served.deployer.database.endpoints.get(ENDPOINT);
  expect(Object.values(endpoint?.weights ?? {})).toContain(100);
});

test("two people see a rollout through to its rollback, in two browsers", seeRolloutThrough);
test("a person signs in at the provider, and a sign-in that fails says why", signInAtProvider);

test("by what is no more nothing is decided: the page shows what has moved on, and its plan anew", async () => {
  const served = await givenConsole();
  await givenBusyInstallation(served.deployer);
  const page = await pageOf(served, "omar");
  await page.goto(`${served.url}/#/endpoints/${ENDPOINT}`);
  await page.getByRole("button", { name: "Pause" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("paused").first().waitFor();
  await act(served.deployer, "abort", {
    endpoint_name: ENDPOINT,
    rollout_reason: "the other team was faster",
  });
  await dialog.getByRole("button", { name: "Pause" }).click();
  await dialog.getByText(/has moved on from generation \d+, by which you decided/).waitFor();
  await dialog
    .getByText(/the other team was faster/)
    .first()
    .waitFor();
});

test("what was refused has a button for each way out, with its plan first, and says from when on it makes sense", async () => {
  const served = await givenConsole();
  const { deployer } = served;
  await inProduction(deployer, "run1");
  const never = await readyForProduction(deployer, "run2");
  const back = { endpoint_name: ENDPOINT, rollback_to: never, rollback_reason: "wrong scores" };
  const refused = await errorOf(act(deployer, "rollback", back));
  const page = await pageOf(served, "ana");
  await page.goto(`${served.url}/#/operations/${String(refused.details["operation_id"])}`);
  await page.getByText(/has never served production/).waitFor();
  await page.getByRole("button", { name: "Promote …" }).click();
  await page.getByRole("button", { name: "Show its plan" }).click();
  await page.getByRole("button", { name: "Do it" }).click();
  await page.getByRole("link", { name: "Show what waits" }).waitFor();

  // The deployer's clock began three days ago, and the page's is the server's.
  deployer.passTime({ hours: 24 });
  const young = await register(deployer, "run3");
  await promote(deployer, young, "staging");
  await promote(deployer, young, "shadow");
  await deploy(deployer, young, "shadow");
  deployer.router.sendTraffic(ENDPOINT, 1000);
  const early = await errorOf(promote(deployer, young, "production"));
  expect(early.not_before).not.toBeNull();
  await page.goto(`${served.url}/#/operations/${String(early.details["operation_id"])}`);
  await page.getByText(/Asking for the same makes sense again from .* on, in 2[34] h/).waitFor();
  expect(await accessibilityProblems(page)).toEqual([]);
});

test("all is reached by keyboard, and Escape leaves a dialog with nothing done", async () => {
  const served = await givenConsole();
  await givenBusyInstallation(served.deployer);
  const page = await pageOf(served, "omar");
  await page.goto(`${served.url}/#/endpoints/${ENDPOINT}`);
  const rollBack = page.getByRole("button", { name: "Roll back" });
  await rollBack.waitFor();
  for (let press = 0; press < 20; press += 1) {
    await page.keyboard.press("Tab");
    if (await isFocused(rollBack)) break;
  }
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  expect(await isFocused(rollBack)).toBe(true);
});

test("axe finds nothing in any view, light, dark and narrow; nothing is wider than a phone", async () => {
  const served = await givenConsole();
  const { waiting } = await givenBusyInstallation(served.deployer);
  // Each with what is there once all of it is.
  const views = [
    { view: "endpoints", hash: "#/", shown: [["link", ENDPOINT]] },
    {
      view: "endpoint",
      hash: `#/endpoints/${ENDPOINT}`,
      shown: [
        ["img", /Traffic over time/],
        ["img", /Evidence against the candidate/],
        ["img", /requests that both answered/],
      ],
    },
    { view: "operation", hash: `#/operations/${waiting}`, shown: [["row", /mirrored requests/]] },
    {
      view: "history",
      hash: "#/history/remission",
      shown: [
        ["img", /Traffic over time/],
        ["heading", /Everything that was decided/],
        ["heading", /What is remembered/],
      ],
    },
  ] as const;
  const calling = setInterval(() => served.deployer.router.sendTraffic(ENDPOINT, 21), 500);
  onTestFinished(() => clearInterval(calling));
  for (const [look, options] of Object.entries(LOOKS)) {
    const page = await pageOf(served, "omar", options);
    await page.locator(".health-ok").waitFor();
    await page.getByText("0.0 %").first().waitFor();
    for (const { view, hash, shown } of views) {
      await page.goto(`${served.url}/${hash}`);
      for (const [role, name] of shown) await page.getByRole(role, { name }).first().waitFor();
      await page.screenshot({ path: `${PICTURES}/${view}-${look}.png`, fullPage: true });
      // All that one must know to decide is above it on one screen.
      if (view === "operation" && look !== "narrow")
        expect(await bottomOf(page.getByRole("button", { name: "Approve and carry out" }))).toBeLessThan(900);
      expect({ look, view, found: await accessibilityProblems(page) }).toEqual({ look, view, found: [] });
      expect({ look, view, wider: await widerThanItsWindow(page) }).toEqual({ look, view, wider: [] });
    }
  }
});
