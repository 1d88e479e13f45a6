import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import type { BrowserContext, BrowserContextOptions, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, expect, onTestFinished } from "vitest";
import { z } from "zod";
import type { SignIns } from "../../../src/service/people/opened_session.ts";
import { openBrowser } from "./browser.ts";
import { builtConsole } from "./built_console.ts";
import { type ServedConsole, serveConsole, TOKENS } from "./served_console.ts";

/** Kept by the run, to be looked at. */
export const PICTURES = "test-results/console";
export const ENDPOINT = "e2i_remission";
const PATIENCE_MS = 240_000;

export const LOOKS = {
  light: { colorScheme: "light", viewport: { width: 1280, height: 900 } },
  dark: { colorScheme: "dark", viewport: { width: 1280, height: 900 } },
  narrow: { colorScheme: "light", viewport: { width: 375, height: 812 } },
} as const satisfies Record<string, BrowserContextOptions>;

let opened: Awaited<ReturnType<typeof openBrowser>>;

/** Builds the page, and opens the browser of a file's tests. */
export function inBrowser(): void {
  beforeAll(async () => {
    await builtConsole();
    await mkdir(PICTURES, { recursive: true });
    opened = await openBrowser();
  });
  afterAll(() => opened.close());
}

export async function givenConsole(signIns?: SignIns): Promise<ServedConsole> {
  const served = await serveConsole(signIns);
  onTestFinished(() => served.close());
  return served;
}

/** A browser of one's own. */
export async function givenContext(options: BrowserContextOptions = {}): Promise<BrowserContext> {
  const context = await opened.browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  onTestFinished(() => context.close());
  context.setDefaultTimeout(PATIENCE_MS);
  return context;
}

/** A page that has shown nothing yet; what it could not run, and what it asks of others, fails the test. */
export async function watchedPage({ url }: ServedConsole, context: BrowserContext): Promise<Page> {
  const page = await context.newPage();
  const problems: string[] = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("request", (request) => {
    if (!request.url().startsWith(url)) problems.push(`asked ${request.url()}`);
  });
  onTestFinished(() => expect(problems).toEqual([]));
  return page;
}

/** A page of a browser of one's own, signed in. */
export async function pageOf(
  served: ServedConsole,
  who: keyof typeof TOKENS,
  options: BrowserContextOptions = {},
): Promise<Page> {
  const page = await watchedPage(served, await givenContext(options));
  await page.goto(`${served.url}/#token=${TOKENS[who]}`);
  await page.locator(".live-live").waitFor();
  return page;
}

export async function isFocused(element: Locator): Promise<boolean> {
  return element.and(element.page().locator(":focus")).isVisible();
}

/** How far down it ends, in pixels. */
export async function bottomOf(element: Locator): Promise<number> {
  const box = await element.boundingBox();
  return box === null ? Infinity : box.y + box.height;
}

/** How many looks the chart of the evidence has. */
export async function looksOn(page: Page): Promise<number> {
  const chart = page.getByRole("img", { name: /Evidence against the candidate/ });
  return Number(/over (\d+) looks/.exec((await chart.getAttribute("aria-label")) ?? "")?.[1]);
}

/** What makes the page wider than its window, outermost first; nothing where it is not. */
export async function widerThanItsWindow(page: Page): Promise<string[]> {
  const found: unknown = await page.evaluate(`
    (({ scrollWidth, clientWidth }) => scrollWidth <= clientWidth ? [] : [...document.querySelectorAll("body *")]
      .filter((one) => one.getBoundingClientRect().right > clientWidth + 1)
      .slice(0, 5).map((one) => one.outerHTML.slice(0, 100)))(document.documentElement)
  `);
  return z.array(z.string()).parse(found);
}

/** Texts that are wider than their place, and so are cut, or lie over what is beside them. */
export async function cutTexts(page: Page): Promise<string[]> {
  const found: unknown = await page.evaluate(`
    [...document.querySelectorAll("main :is(p, li, h1, h2, dd)")]
      .filter((one) => one.clientWidth > 1 && one.scrollWidth > one.clientWidth + 1)
      .slice(0, 5).map((one) => one.outerHTML.slice(0, 100))
  `);
  return z.array(z.string()).parse(found);
}

/** What of the charts' curves and areas lies to the right of their axes. */
export async function drawnBeyondAxes(page: Page): Promise<string[]> {
  const found: unknown = await page.evaluate(`
    [...document.querySelectorAll(".plot svg")].flatMap((plot) => {
      const end = Math.max(...[...plot.querySelectorAll(".grid")].map((one) => one.getBoundingClientRect().right));
      return [...plot.querySelectorAll(".band, .curve")]
        .filter((one) => one.getBoundingClientRect().right > end + 2)
        .map((one) => one.getAttribute("class") + " of " + plot.getAttribute("aria-label"));
    })
  `);
  return z.array(z.string()).parse(found);
}

const axeSource = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const violationsSchema = z.array(z.object({ id: z.string(), nodes: z.array(z.string()) }));

export async function accessibilityProblems(page: Page): Promise<z.infer<typeof violationsSchema>> {
  await page.evaluate(axeSource);
  const found: unknown = await page.evaluate(`
    axe.run().then(({ violations }) => violations.map(({ id, nodes }) => ({ id, nodes: nodes.map(({ html }) => html) })))
  `);
  return violationsSchema.parse(found);
}
