import { withoutCredentials } from "../agents/base/credentials.ts";
import { type DestinationStream, type Logger, pino } from "pino";

export type LogLevel = "silent" | "error" | "warn" | "info" | "debug";

const SECRET = /^(authorization|token|password|secret|api_?key|supabase_?key|cookie)$/i;

/** JSON lines with `operation_id` and `rollout_id` where there are; to standard error, so that answers stay apart. */
export function createLogger(level: LogLevel, destination?: DestinationStream): Logger {
  const options = {
    level,
    base: { service: "model-deployer" },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: {
      level: (label: string) => ({ level: label }),
      log: (fields: Record<string, unknown>) => Object.fromEntries(Object.entries(fields).map(redacted)),
    },
    hooks: { streamWrite: withoutCredentials },
  };
  return pino(options, destination ?? pino.destination({ dest: 2, sync: true }));
}

function redacted([key, value]: [string, unknown]): [string, unknown] {
  if (SECRET.test(key)) return [key, "[redacted]"];
  if (Array.isArray(value)) return [key, value.map((item: unknown) => redacted(["", item])[1])];
  if (typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype) {
    return [key, Object.fromEntries(Object.entries(value).map(redacted))];
  }
  return [key, value];
}
