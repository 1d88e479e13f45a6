import { randomUUID } from "node:crypto";
import { execa } from "execa";
import { expect } from "vitest";
import { z } from "zod";
import type { ModelDeployer } from "../../../src/wiring/model_deployer.ts";
import { runCli } from "../../../src/cli/program.ts";
import { errorViewSchema, SCHEMA_VERSION } from "../../../src/service/report_schemas.ts";
import { createModelDeployerGraph } from "../../../src/agents/model_deployer/graph.ts";
import { resumeOperation } from "../../../src/agents/model_deployer/operations/resume_operation.ts";
import { recordOutcomes } from "../../../src/agents/model_deployer/collection/record_outcomes.ts";
import { type Configuration, readConfiguration } from "../../../src/wiring/settings/configuration.ts";
import { type Observer, underWayIn } from "../../../src/wiring/observer.ts";
import { createTelemetry } from "../../../src/telemetry/telemetry.ts";
import { InMemoryEpisodicMemory } from "../../../src/testing/in_memory/memories.ts";
import type { DeployerDatabase } from "../../../src/database/index.ts";
import { Pruner } from "../../../src/keeping/pruner.ts";
import { EnforcedPolicies } from "./enforced_policies.ts";
import { caughtStreams } from "./caught_streams.ts";
import { anotherProcess, type GivenDeployer } from "./given_deployer.ts";
import { givenSecrets } from "./given_secrets.ts";

export interface Printed {
  code: number;
  out: string;
  err: string;
}

/** The deployer that a command is run over; `rowServers` is null where its engine keeps no rows. */
type CommandedDeployer = GivenDeployer & { rowServers?: null };

/** Runs one command line over the given deployer; nobody sits at its terminal, and `hear` hears its errors as they come. */
export async function cli(
  given: CommandedDeployer,
  words: string[],
  environment: Record<string, string> = {},
  signal = new AbortController().signal,
  hear: (soFar: string) => void = () => undefined,
): Promise<Printed> {
  const { streams, printed } = caughtStreams();
  streams.stderr.on("data", () => hear(printed.err));
  const code = await runCli(words, {
    streams,
    environment,
    signal,
    openDeployer: async () => deployerOf(given),
    openObserver: async (configuration) => observerOf(given, configuration),
  });
  return { code, ...printed };
}

function observerOf(given: CommandedDeployer, configuration: Configuration): Observer {
  const { server, rowServers = server, router, episodicMemory, proceduralMemory, teamMetrics } = given;
  const database = databaseOf(given);
  const pruner = prunerOf(database);
  return {
    database,
    engines: given.settings.engines,
    rowsKeptOn: rowServers === null ? [] : ["local"],
    ownerUrl: given.world.url,
    secrets: givenSecrets(),
    ingress: ingressOf(given),
    ...{ server, rowServers, router, episodicMemory, proceduralMemory, teamMetrics },
    listPackages: (bentoTag) => given.packager.listPackages(bentoTag),
    shortages: async () => [],
    underWay: () => underWayIn(configuration),
    pruner: async () => pruner,
    close: async () => undefined,
  };
}

/** One for each world, as one router is for each endpoint, whichever process asks it. */
const routers = new WeakMap<object, EnforcedPolicies>();

function ingressOf({ world, database }: GivenDeployer): EnforcedPolicies {
  const known = routers.get(world) ?? new EnforcedPolicies(database.ingressPolicies);
  routers.set(world, known);
  return known;
}

const headSchema = z.strictObject({ schema_version: z.literal(SCHEMA_VERSION), command: z.string() });
const dataSchema = headSchema.extend({ data: z.unknown() });
const errorSchema = headSchema.extend({ error: errorViewSchema, exit_code: z.int() });

/** The one JSON document that the command printed. */
export async function documentOf<S extends z.ZodType>(
  given: CommandedDeployer,
  schema: S,
  words: string[],
  environment: Record<string, string> = {},
): Promise<{ code: number; data: z.output<S> }> {
  const { code, out, err } = await cli(given, [...words, "--json"], environment);
  expect(err).toBe("");
  expect(JSON.parse(out)).not.toHaveProperty("error");
  return { code, data: schema.parse(dataSchema.parse(JSON.parse(out)).data) };
}

export const jsonOf = <S extends z.ZodType>(given: CommandedDeployer, schema: S, ...words: string[]) =>
  documentOf(given, schema, words);

/** The error in the one JSON document that the command printed; its exit code is the one in there. */
export async function jsonErrorOf(given: CommandedDeployer, words: string[]) {
  const { code, out, err } = await cli(given, [...words, "--json"]);
  expect(err).toBe("");
  const { error, exit_code } = errorSchema.parse(JSON.parse(out));
  expect(exit_code).toBe(code);
  return { code, error };
}

/** What lies on this machine's disk is no business of a test that keeps all in memory. */
function prunerOf(database: DeployerDatabase): Pruner {
  return new Pruner({
    facts: database.keeping,
    stores: [],
    rows: [database.oldRows],
    alone: (work) => work(),
  });
}

const databaseOf = ({ world }: GivenDeployer) => world.another(`cli-${randomUUID()}`);

/** A process that ends with its command, and closes its connections then, whatever is still under way. */
async function deployerOf(given: GivenDeployer): Promise<ModelDeployer> {
  const ofCommand = anotherProcess(given, given.capabilities.settings, given.wire);
  const { agent, worker, capabilities, world, db: database } = ofCommand;
  const { parts, settings } = capabilities;
  const telemetry = await createTelemetry(readConfiguration({}).telemetry);
  return {
    agent,
    worker,
    parts,
    settings,
    episodicMemoryOf: (agentName) => new InMemoryEpisodicMemory({ agentName, beside: given.episodicMemory }),
    graph: createModelDeployerGraph(capabilities),
    telemetry,
    observeWorker: () => telemetry.observeWorker(() => database.figures()),
    recordOutcomes: (outcomes, told = {}) =>
      recordOutcomes(database, outcomes, { by: settings.requested_by, ...told }),
    reconcile: (options) => capabilities.reconciler.reconcile(options),
    resume: (operationId, options) => resumeOperation(capabilities, operationId, options),
    degraded: [],
    database,
    secrets: givenSecrets(),
    addresses: {
      databaseUrl: world.url,
      databaseOwnerUrl: world.url,
      redisUrl: "",
      mlflowUrl: "",
      mlflowAuth: null,
    },
    close: () => database.close(),
  };
}

/** Runs the program itself, as a process of its own, on the given database. */
export async function program(
  databaseUrl: string,
  words: string[],
  environment: Record<string, string> = {},
) {
  const { exitCode, stdout, stderr } = await execa(process.execPath, ["src/cli/main.ts", ...words], {
    // As it is typed without npx, whatever has started the tests.
    env: {
      npm_command: "",
      DATABASE_URL: databaseUrl,
      MODEL_DEPLOYER_HOME: "/nonexistent/home",
      ...environment,
    },
    reject: false,
    timeout: 600_000,
  });
  return { code: exitCode ?? -1, out: stdout, err: stderr };
}

/** Ids, hashes and instants become names, numbered in the order of their appearance. */
export function normalised(text: string): string {
  const names = new Map<string, string>();
  const nameOf = (kind: string, found: string) => {
    const known =
      names.get(found) ??
      `<${kind} ${[...names.values()].filter((one) => one.startsWith(`<${kind} `)).length + 1}>`;
    names.set(found, known);
    return known;
  };
  return text
    .replaceAll(/\b(deploy|mv|op|rollout|approval|policy)_[0-9a-f-]{20,}/g, (found, kind: string) =>
      nameOf(kind, found),
    )
    .replaceAll(/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?/g, "<instant>")
    .replaceAll(/in \d+\.\d s/g, "in <seconds>")
    .replaceAll(/"seconds": [\d.]+/g, '"seconds": 0');
}
