import { once } from "node:events";
import { createServer } from "node:http";
import { expect, onTestFinished, test } from "vitest";
import { endpointViewSchema, type EndpointView } from "../../../src/service/endpoints/endpoint_schemas.ts";
import {
  accessibilityProblems,
  cutTexts,
  ENDPOINT,
  givenConsole,
  givenContext,
  inBrowser,
  LOOKS,
  PICTURES,
  widerThanItsWindow,
} from "../../support/console/given_pages.ts";
import { givenBusyInstallation, type ServedConsole, TOKENS } from "../../support/console/served_console.ts";
import { toldPage } from "../../support/console/told_pages.ts";

inBrowser();

const MARKUP = '<img src=x onerror="alert(1)"><script>alert(2)</script>';
const LONG = "a_model_family_whose_name_says_all_that_there_is_to_say_about_it";

/** A page of another origin. */
async function givenSite(page: string): Promise<string> {
  const server = createServer((_, response) => {
    response.setHeader("content-type", "text/html").end(page);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const address = server.address();
  return `http://localhost:${typeof address === "object" && address !== null ? address.port : 0}/`;
}

async function busyEndpoint({ url, deployer }: ServedConsole): Promise<EndpointView> {
  await givenBusyInstallation(deployer);
  const headers = { authorization: `Bearer ${TOKENS.omar}` };
  const answer = await fetch(`${url}/v1/endpoints/${ENDPOINT}`, { headers });
  return endpointViewSchema.parse(await answer.json());
}

/** One of each kind that a page could be broken by: long, with markup, down, without any past. */
function variant(view: EndpointView, number: number): EndpointView {
  const endpoint_name = `${number % 3 === 0 ? LONG : "e2i"}_${number}`;
  const figures = {
    ...{ seconds: 30, read_at: new Date().toISOString(), requests_per_second: 1e6 / number },
    ...{ error_share: number / 200, p50_ms: number / 7, p99_ms: number ** 3 },
  };
  const named = { ...view, endpoint_name, figures };
  if (number % 7 === 1)
    return {
      ...named,
      health: { state: "down", reasons: [`${MARKUP} ${LONG} does not answer`, LONG.repeat(3)] },
      last_change: {
        occurred_at: "2020-01-01T00:00:00Z",
        changed_by: MARKUP,
        reason: `${MARKUP} ${LONG.repeat(4)}`,
        metrics: {},
      },
    };
  if (number % 7 === 2)
    return { ...named, traffic: [], mirror: null, rollout: null, last_change: null, figures: null };
  const traffic = view.traffic.map((one) => ({ ...one, version: one.version + 12_345 * number }));
  return { ...named, health: { state: "ok", reasons: [] }, traffic };
}

test("two hundred endpoints with odd names and words are all drawn, as text, and found by name", async () => {
  const served = await givenConsole();
  const view = await busyEndpoint(served);
  const events = Array.from({ length: 200 }, (_, index) => variant(view, index + 1)).map((data) => ({
    event: "endpoint" as const,
    data,
  }));
  for (const [look, options] of Object.entries(LOOKS)) {
    const page = await toldPage(served, events, options);
    await expect.poll(() => page.locator(".card").count()).toBe(200);
    expect(await page.locator("main img, main script").count()).toBe(0);
    await page.getByText(MARKUP).first().waitFor();
    expect({ look, wider: await widerThanItsWindow(page) }).toEqual({ look, wider: [] });
    expect({ look, cut: await cutTexts(page) }).toEqual({ look, cut: [] });
    expect({ look, found: await accessibilityProblems(page) }).toEqual({ look, found: [] });
    await page.screenshot({ path: `${PICTURES}/many-${look}.png` });
    await page.getByRole("searchbox").fill("_200");
    await expect.poll(() => page.locator(".card").count()).toBe(1);
    await page.getByRole("link", { name: "e2i_200" }).waitFor();
    await page.getByRole("searchbox").fill("nowhere");
    await page.getByText("No endpoint's name has “nowhere”.").waitFor();
  }
});

test("a page that is behind says why, and what it cannot ask for is told where it would stand", async () => {
  const served = await givenConsole();
  const view = await busyEndpoint(served);
  const reason = `the database does not answer: ${LONG}${LONG}`;
  const page = await toldPage(
    served,
    [
      { event: "endpoint", data: view },
      { event: "feed", data: { is_current: false, reason } },
    ],
    LOOKS.narrow,
  );
  await page.getByRole("status").getByText(`This page is not current. ${reason}`).waitFor();
  await page.locator(".live-behind").waitFor();
  await page.route(/\/v1\/(endpoints|rollouts)\/.*(weights|looks|servers|pairs)/, (route) =>
    route.fulfill({
      status: 503,
      contentType: "application/problem+json",
      body: JSON.stringify({
        code: "service_unavailable",
        title: "database",
        detail: `${MARKUP} ${LONG}${LONG}`,
      }),
    }),
  );
  await page.goto(`${served.url}/#/endpoints/${ENDPOINT}`);
  for (const panel of ["Rollout under way", "Traffic over time", /^Shadow/, "Servers and limits"])
    await page.getByRole("region", { name: panel }).getByRole("alert").getByText(MARKUP).waitFor();
  expect(await widerThanItsWindow(page)).toEqual([]);
  expect(await accessibilityProblems(page)).toEqual([]);
  await page.screenshot({ path: `${PICTURES}/behind-narrow.png`, fullPage: true });
  await page.goto(`${served.url}/#/endpoints/nosuch`);
  await page.getByText("There is no endpoint nosuch").waitFor();
  await page.goto(`${served.url}/#/history/nosuch`);
  await page.getByRole("alert").waitFor();
  await page.goto(`${served.url}/#/operations/op_nosuch`);
  await page.getByRole("alert").waitFor();
  await page.screenshot({ path: `${PICTURES}/nosuch-narrow.png`, fullPage: true });
});

test("another site's page can neither frame the console nor act by the session of the browser that it is in", async () => {
  const served = await givenConsole();
  await givenBusyInstallation(served.deployer);
  const context = await givenContext();
  const own = await context.newPage();
  await own.goto(`${served.url}/#token=${TOKENS.omar}`);
  await own.locator(".live-live").waitFor();
  const body = JSON.stringify({
    deployment_action: "rollback",
    endpoint_name: ENDPOINT,
    rollback_reason: "theirs",
  });
  // A simple request, a form and an event stream are sent without asking the server first.
  const site = await givenSite(`<!doctype html><iframe src="${served.url}/"></iframe>
    <iframe name="answer"></iframe>
    <form method="post" target="answer" enctype="text/plain" action="${served.url}/v1/actions">
      <input name='${body.slice(0, -1)},"x":"' value='"}'>
    </form>
    <script>
      document.forms[0].submit();
      const tried = [
        fetch("${served.url}/v1/endpoints", { credentials: "include" }),
        fetch("${served.url}/v1/actions", { method: "POST", credentials: "include", mode: "no-cors", body: ${JSON.stringify(body)} })
          .then((answer) => { if (answer.type === "opaque") throw new Error("unreadable"); }),
        new Promise((read, refused) => {
          const stream = new EventSource("${served.url}/v1/events", { withCredentials: true });
          stream.onopen = read;
          stream.onerror = refused;
        }),
      ];
      window.outcomes = Promise.allSettled(tried).then((all) => all.map(({ status }) => status));
    </script>`);
  const theirs = await context.newPage();
  const answered = theirs.waitForResponse(
    (answer) => answer.request().isNavigationRequest() && answer.url().endsWith("/v1/actions"),
  );
  await theirs.goto(site);
  expect(await theirs.evaluate("window.outcomes")).toEqual(["rejected", "rejected", "rejected"]);
  expect((await answered).status()).toBe(403);
  expect(theirs.frames().map((frame) => frame.url())).not.toContain(`${served.url}/`);
  const endpoint = await served.deployer.database.endpoints.get(ENDPOINT);
  expect(Object.values(endpoint?.weights ?? {}).toSorted((a, b) => a - b)).toEqual([30, 70]);
  expect(await served.deployer.database.overview.openOperations()).toHaveLength(1);
});
