import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, chromium as playwright } from "playwright-core";
import { onceInThisRun } from "./built_console.ts";

/** A Chromium from npm, with its libraries where the system has none. */
export async function openBrowser(): Promise<{ browser: Browser; close(): Promise<void> }> {
  const { default: packed } = await import("@sparticuz/chromium");
  // It unpacks itself, and a program that is still being written cannot be started.
  const executablePath = await onceInThisRun(() => packed.executablePath());
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
