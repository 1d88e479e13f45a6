import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, chromium as playwright } from "playwright-core";

/** A Chromium from npm, with its libraries where the system has none. */
export async function openBrowser(): Promise<{ browser: Browser; close(): Promise<void> }> {
  const { default: packed } = await import("@sparticuz/chromium");
  const executablePath = await packed.executablePath();
  const profile = await mkdtemp(join(tmpdir(), "console-browser-"));
  const browser = await playwright.launch({
    executablePath,
    args: ["--no-sandbox", "--disable-gpu", "--font-render-hinting=none"],
    env: { ...process.env, TMPDIR: profile },
  });
  return {
    browser,
    close: async () => {
      await browser.close();
      await rm(profile, { recursive: true, force: true });
    },
  };
}
