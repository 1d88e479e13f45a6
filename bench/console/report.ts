import { median, percentile } from "../support/figures.ts";
import { printMachine, printTable, say } from "../support/report.ts";
import type { Stretch, View } from "./watched_page.ts";

export interface Measured {
  name: string;
  changes: number;
  stretch: Stretch;
  apiCpuMs: number;
  /** From just before the row's commit to the frame with the change, ms. */
  latencies: number[];
}

export function report(views: readonly View[], rows: readonly Measured[]): void {
  const [first, whole, task] = [
    views.map(({ firstMs }) => firstMs),
    views.map(({ wholeMs }) => wholeMs),
    views.map(({ longTasks }) => Math.max(0, ...longTasks)),
  ];
  say(
    `opened ${views.length} times, median of ms: first card ${median(first).toFixed(0)}, all ${median(whole).toFixed(0)}`,
  );
  say(`longest task of 50 ms or more while it opened, ms: ${task.map((ms) => ms.toFixed(0)).join(", ")}`);
  printTable(
    ["", "seen", "to the pixel ms p50", "p95", "most"],
    rows
      .filter(({ latencies }) => latencies.length > 0)
      .map(({ name, latencies }) => [
        name,
        String(latencies.length),
        median(latencies),
        percentile(latencies, 95),
        Math.max(...latencies),
      ]),
  );
  reportSmoothness(rows);
  reportCosts(rows);
  printMachine();
}

function reportSmoothness(rows: readonly Measured[]): void {
  printTable(
    ["", "longest task ms", "of 50 or more", "frames/s", "longest frame", "over 50 ms"],
    rows.map(({ name, stretch: { longTasks, frames, seconds } }) => [
      name,
      longTasks.length === 0 ? "under 50" : Math.max(...longTasks),
      String(longTasks.length),
      frames.length === 0 ? "–" : frames.length / seconds,
      frames.length === 0 ? "–" : Math.max(...frames),
      frames.length === 0 ? "–" : String(frames.filter((ms) => ms > 50).length),
    ]),
  );
}

function reportCosts(rows: readonly Measured[]): void {
  printTable(
    [
      "",
      "browser CPU ms/s",
      "main thread ms/s",
      "API CPU ms/s",
      "events/s",
      "KB/s",
      "bytes/change",
      "asked KB/s",
    ],
    rows.map(({ name, changes, apiCpuMs, stretch }) => [
      name,
      stretch.browserCpuMs / stretch.seconds,
      stretch.mainThreadMs / stretch.seconds,
      apiCpuMs / stretch.seconds,
      stretch.events / stretch.seconds,
      stretch.bytes / 1024 / stretch.seconds,
      changes === 0 ? "–" : stretch.bytes / changes,
      stretch.answerBytes / 1024 / stretch.seconds,
    ]),
  );
}
