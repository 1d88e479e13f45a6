import { z } from "zod";

export const checkSchema = z.strictObject({
  part: z.string(),
  state: z.enum(["ok", "degraded", "down"]),
  found: z.string(),
  /** Advice; null where nothing is to be done. */
  advice: z.string().nullable(),
});
export type Check = z.infer<typeof checkSchema>;

export const doctorReportSchema = z.strictObject({
  state: z.enum(["ok", "degraded", "down"]),
  checks: z.array(checkSchema),
  /** Secrets are masked. */
  configuration: z.record(z.string(), z.string()),
});

export type DoctorReport = z.infer<typeof doctorReportSchema>;

export const consoleReportSchema = z.strictObject({
  url: z.string(),
  /** Whether the address signs in as the principal of the token. */
  signs_in: z.boolean(),
});

export const environmentReportSchema = z.strictObject({
  /** By name; null where no address is configured and nothing runs under the home. */
  variables: z.record(z.string(), z.string().nullable()),
  /** Where this home's console and API are served; null where they are not. No variable: a command that has it asks the API. */
  console_url: z.string().nullable(),
});
export type EnvironmentReport = z.infer<typeof environmentReportSchema>;

/** `kubectl apply -f -` takes it as it is. */
export const manifestListSchema = z.strictObject({
  apiVersion: z.literal("v1"),
  kind: z.literal("List"),
  items: z.array(z.looseObject({})),
});

const runningPartSchema = z.strictObject({
  /** `command`: one that serves the home, such as `up`. */
  kind: z.enum(["command", "service", "router", "server"]),
  name: z.string(),
  process: z.int(),
});
export const downReportSchema = z.strictObject({
  /** `nothing` where nothing ran that was to be stopped. */
  status: z.enum(["stopped", "nothing", "declined"]),
  home: z.string(),
  stopped: z.array(runningPartSchema),
  /** Parts that go on and answer. */
  going_on: z.array(runningPartSchema),
  /** How the remaining parts are stopped, and further notes. */
  how: z.string().nullable(),
});
export type DownReport = z.infer<typeof downReportSchema>;
