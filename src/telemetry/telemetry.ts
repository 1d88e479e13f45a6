import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { Logger } from "pino";
import { z } from "zod";
import { ANSWERS, DEGRADED, PROGRESS } from "../agents/base/diagnostics.ts";
import type { Figures } from "../database/repositories/reading/worker_figures.ts";
import type { TickReport } from "../worker/tick_report.ts";
import { createLogger, type LogLevel } from "./logger.ts";
import { createWorkerMetrics } from "./metrics.ts";
import { serveMetrics } from "./metrics_server.ts";
import { startTracing } from "./otlp_tracing.ts";

export interface TelemetrySettings {
  /** Null: no traces are sent. */
  otlpEndpoint: string | null;
  serviceName: string;
  logLevel: LogLevel;
  /** Null: no metrics are served. */
  metricsPort: number | null;
  /** Where they are served. */
  bindHost: string;
}

export interface WorkerObservation {
  /** For `Worker.run`. */
  onTick(report: TickReport): void;
  /** Where Prometheus finds the metrics; null where none are served. */
  metricsUrl: string | null;
  close(): Promise<void>;
}

export interface Telemetry {
  logger: Logger;
  /** Logs each tick of a worker, counts it, and serves the metrics where a port is configured. */
  observeWorker(figures: () => Promise<Figures>): Promise<WorkerObservation>;
  /** Sends what is left. Idempotent. */
  close(): Promise<void>;
}

/**
 * Everything that can be seen of this process from outside; nothing but what is configured.
 * @throws ConfigurationError where traces are asked for and the packages for them are not installed
 */
export async function createTelemetry(settings: TelemetrySettings): Promise<Telemetry> {
  const { otlpEndpoint, serviceName, logLevel, metricsPort, bindHost } = settings;
  const logger = createLogger(logLevel);
  const tracing = otlpEndpoint === null ? null : await startTracing({ endpoint: otlpEndpoint, serviceName });
  const stopLogging = logLevel === "silent" ? () => undefined : logRuns(logger);
  return {
    logger,
    observeWorker: async (figures) => {
      const metrics = metricsPort === null ? null : await createWorkerMetrics(figures);
      const server = metrics === null ? null : await serveMetrics(metrics, metricsPort ?? 0, bindHost);
      const onDegraded = (told: unknown) => metrics?.degraded(partSchema.parse(told).part);
      subscribe(DEGRADED, onDegraded);
      return {
        onTick: (report) => {
          metrics?.record(report);
          logTick(logger, report);
        },
        metricsUrl: server?.url ?? null,
        close: async () => {
          unsubscribe(DEGRADED, onDegraded);
          await server?.close();
        },
      };
    },
    close: async () => {
      stopLogging();
      await tracing?.shutdown();
    },
  };
}

const partSchema = z.looseObject({ part: z.string() });
const messageSchema = z.looseObject({ message: z.string() });

/** Logs the runs of agents, as the diagnostics channels publish them. */
export function logRuns(logger: Logger): () => void {
  const onProgress = (told: unknown) => {
    const { message, ...fields } = messageSchema.parse(told);
    logger.info(fields, message);
  };
  const onAnswer = (told: unknown) => {
    const { message, ...fields } = messageSchema.parse(told);
    if (fields["outcome"] === "ok") logger.info(fields, message);
    else logger.warn(fields, message);
  };
  subscribe(PROGRESS, onProgress);
  subscribe(ANSWERS, onAnswer);
  return () => {
    unsubscribe(PROGRESS, onProgress);
    unsubscribe(ANSWERS, onAnswer);
  };
}

function logTick(logger: Logger, report: TickReport): void {
  for (const { rollout_id, advance, reason } of report.rollouts) {
    logger.info({ rollout_id, advance }, `looked at a rollout: ${reason}`);
  }
  for (const { reason, ...resumption } of report.resumed) logger.info(resumption, reason);
  for (const finding of report.reconciliation?.findings ?? []) logger.warn({ ...finding }, "found drift");
  for (const deployment_id of report.drained) logger.info({ deployment_id }, "stopped a replaced server");
  for (const problem of report.told.problems) logger.warn({}, problem);
  for (const recovered of report.told.recovered) logger.info({}, recovered);
}
