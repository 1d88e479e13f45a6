import type { Gauge } from "prom-client";
import type { Figures } from "../database/repositories/reading/worker_figures.ts";
import type { TickReport } from "../worker/tick_report.ts";

export interface WorkerMetrics {
  /** Counts one tick. */
  record(report: TickReport): void;
  /** Counts that a part did not answer and was done without. */
  degraded(part: string): void;
  /** In Prometheus' text format; the database is asked afresh each time. */
  render(): Promise<{ contentType: string; text: string }>;
}

/**
 * The figures of a worker: what the database says of all workers together, and what this one has done since it
 * started. A database that does not answer shows as `model_deployer_up 0`, and the rest is still told.
 */
export async function createWorkerMetrics(read: () => Promise<Figures>): Promise<WorkerMetrics> {
  const { Counter, Gauge, Registry } = await import("prom-client");
  const registry = new Registry();
  const gauge = (name: string, help: string, labelNames: string[] = []) =>
    new Gauge({ name: `model_deployer_${name}`, help, labelNames, registers: [registry] });
  const counter = (name: string, help: string, labelNames: string[] = []) =>
    new Counter({ name: `model_deployer_${name}`, help, labelNames, registers: [registry] });
  const asked = {
    up: gauge("up", "1 where the database answers"),
    rollouts: gauge("rollouts", "Rollouts", ["status"]),
    verdicts: gauge("rollout_verdicts", "Open rollouts by the verdict of their last look", ["outcome"]),
    operations: gauge("operations", "Operations", ["action", "status"]),
    outbox: gauge("outbox_backlog", "Entries of the outbox that are not delivered", ["topic"]),
    lag: gauge("tick_lag_seconds", "How long the rollout that is due for longest waits for its look"),
    drift: gauge("unobserved_endpoints", "Endpoints whose router is not at what the database wants"),
  };
  const ticks = counter("ticks_total", "Ticks of this worker");
  const looks = counter("looks_total", "Looks at rollouts", ["advance"]);
  const resumed = counter("resumed_total", "Operations that this worker carried to their end", ["outcome"]);
  const findings = counter("drift_findings_total", "Differences from the database that this worker found", [
    "part",
    "outcome",
  ]);
  const drained = counter("drained_total", "Servers that this worker stopped");
  const problems = counter("problems_total", "Work that failed and is tried again", ["part"]);
  const degraded = counter("degraded_total", "Answers and deliveries that went on without a part", ["part"]);
  return {
    degraded: (part) => degraded.inc({ part }),
    record(report) {
      ticks.inc();
      for (const { advance } of report.rollouts) looks.inc({ advance });
      for (const { outcome } of report.resumed) resumed.inc({ outcome });
      for (const { part, outcome } of report.reconciliation?.findings ?? []) findings.inc({ part, outcome });
      drained.inc(report.drained.length);
      for (const problem of report.problems) problems.inc({ part: partOf(problem) });
    },
    async render() {
      await refresh(asked, read);
      return { contentType: registry.contentType, text: await registry.metrics() };
    },
  };
}

type Asked = Record<"up" | "rollouts" | "verdicts" | "operations" | "outbox" | "lag" | "drift", Gauge>;

async function refresh(asked: Asked, read: () => Promise<Figures>): Promise<void> {
  const figures = await read().catch(() => null);
  asked.up.set(figures === null ? 0 : 1);
  const { rollouts, verdicts, operations, outbox, lag, drift } = asked;
  for (const gauge of [rollouts, verdicts, operations, outbox]) gauge.reset();
  if (figures === null) return;
  for (const { labels, count } of figures.rollouts) rollouts.set({ status: labels[0] ?? "" }, count);
  for (const { labels, count } of figures.verdicts) verdicts.set({ outcome: labels[0] ?? "" }, count);
  for (const { labels, count } of figures.operations)
    operations.set({ action: labels[0] ?? "", status: labels[1] ?? "" }, count);
  for (const { labels, count } of figures.outbox) outbox.set({ topic: labels[0] ?? "" }, count);
  lag.set(figures.lag_seconds);
  drift.set(figures.unobserved_endpoints);
}

/** Names and ids come before the colon; an id would make a series of its own. */
function partOf(problem: string): string {
  const name = problem.slice(0, problem.indexOf(":"));
  const kinds: Record<string, string> = {
    rollout: "rollout",
    op: "operation",
    deploy: "deployment",
  };
  if (/^[a-z ]+$/.test(name)) return name;
  return kinds[name.split("_")[0] ?? ""] ?? "endpoint";
}
