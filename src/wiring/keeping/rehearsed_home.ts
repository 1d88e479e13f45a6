import { rm } from "node:fs/promises";
import { join } from "node:path";
import { ConflictError, InvalidRequestError } from "../../agents/model_deployer/errors.ts";
import type { DeployerDatabase } from "../../database/index.ts";
import { rehearse, type Rehearsal, type RehearsalPlace } from "../../keeping/rehearsal/rehearser.ts";
import { parseBentoTag } from "../../mlops/bentoml/bento_tag.ts";
import { hasBentoEnvironment } from "../../mlops/bentoml/packaging/bento_environment.ts";
import { BentoStore } from "../../mlops/bentoml/packaging/bento_store.ts";
import { BentoMLServer } from "../../mlops/bentoml/server.ts";
import { configured } from "../../agents/model_deployer/domain/servers/engines.ts";
import { installedEngines, settingsFor } from "../engines/installed_engines.ts";
import type { Configuration } from "../settings/configuration.ts";
import { aloneInHome } from "./create_pruner.ts";

/**
 * Rehearses on this machine apart from production: its servers have a folder of their own, so that no worker takes
 * them for production's, and no network where containment can deny it.
 * @throws ConflictError while a prune, a backup or another rehearsal is under way; InvalidRequestError on a cluster
 */
export async function rehearseHome(
  configuration: Configuration,
  database: DeployerDatabase,
  asked: { endpointName: string | null; by: string; signal: AbortSignal },
): Promise<Rehearsal[]> {
  const { home } = configuration;
  if (settingsFor("local", configuration) === null) {
    throw new InvalidRequestError(
      `rehearse brings servers up on this machine, and these run on ${configured(installedEngines(configuration)).join(" and ")} (MODEL_DEPLOYER_ENGINE).`,
    );
  }
  const runDirectory = join(home, "rehearsal");
  const done = await aloneInHome(home, async () => {
    const server = serverIn(configuration, runDirectory);
    try {
      return await rehearse(
        {
          endpoints: () => database.endpoints.list(),
          wayBackOf: async (id) =>
            (await database.rollbackFacts.read(id)) ?? { current: null, previous: null },
          stage: stageOf(configuration, server),
          keep: (rehearsal) => database.rehearsals.add(rehearsal, asked.by),
          now: () => performance.now(),
        },
        asked.endpointName,
        asked.signal,
      );
    } finally {
      // A server that a killed rehearsal has left is ended by the next one, or by `down --all`.
      for (const id of await server.list()) await server.stop(id, { signal: AbortSignal.timeout(60_000) });
      await server.close();
      await rm(runDirectory, { recursive: true, force: true, maxRetries: 3 });
    }
  });
  if (done !== null) return done;
  throw new ConflictError(
    "A prune, a backup or another rehearsal is under way in this home; nothing was done. Ask again when it is over.",
  );
}

function serverIn(
  { home, cache, limits, serving, logs, containment }: Configuration,
  runDirectory: string,
): BentoMLServer {
  return new BentoMLServer({
    home: join(home, "bentoml"),
    runDirectory,
    cacheDirectory: cache,
    uv: "uv",
    startTimeoutMs: limits.startSeconds * 1000,
    limits: { ...serving, logs, containment: { ...containment, network: [] } },
  });
}

function stageOf(configuration: Configuration, server: BentoMLServer): RehearsalPlace {
  const { home, cache } = configuration;
  const store = new BentoStore(join(home, "bentoml"));
  return {
    lacks: async ({ bento_tag: bentoTag, engine }) => {
      const runsOn = engine ?? configuration.engine.kind;
      if (runsOn !== "local") return `it runs on ${runsOn}, where nothing is rehearsed`;
      const found = await store.find(parseBentoTag(bentoTag));
      if (found === null) return `the bento ${bentoTag} is gone: a rollback would build it anew first`;
      const isMade = await hasBentoEnvironment(found, { cacheDirectory: cache, uv: "uv" });
      return isMade ? null : `the environment of ${bentoTag} is gone: a rollback would make it anew first`;
    },
    start: async (input, signal) => void (await server.start(input, { signal })),
    trySample: (id, signal) => server.trySample(id, { signal }),
    stop: (id, signal) => server.stop(id, { signal }),
  };
}
