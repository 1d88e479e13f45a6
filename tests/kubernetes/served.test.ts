import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { request } from "undici";
import { expect, test } from "vitest";
import { z } from "zod";
import { parsedJson } from "../../src/platform/parsed_json.ts";
import { ConfigurationError } from "../../src/agents/model_deployer/errors.ts";
import { pollUntil } from "../../src/testing/poll.ts";
import { createKubernetesEngine } from "../../src/wiring/engines/kubernetes_engine.ts";
import { openWorkshop, resources } from "../integration/bentoml/workshop.ts";
import { realCluster } from "./cluster_of_environment.ts";

const sampleSchema = z.object({ sample: z.unknown() });

test("a caller's prediction goes through Envoys and a Service to a model's pods, is copied to a shadow, counted and logged", async () => {
  const workshop = await openWorkshop();
  const { configuration, settings, client } = await realCluster(workshop.directory);
  const bentos = join(workshop.directory, "bentoml");
  const bento_tag = await workshop.pack("classifier");
  await rename(workshop.home, bentos);
  const options = { signal: AbortSignal.timeout(800_000) };
  const { uv } = workshop.tools;
  const engine = await createKubernetesEngine(configuration, settings, { uv, packager: workshop.packager });
  const { server, router, predictionLogs } = engine;
  if (router === undefined) throw new ConfigurationError("MODEL_DEPLOYER_ROUTER has to be cluster");
  try {
    const { endpoint_url } = await router.open("churn", options);
    const deployments = ["dep_served", "dep_shadow"];
    const servers = await Promise.all(
      deployments.map(async (deployment_id) => ({
        deployment_id,
        ...(await server.start({ deployment_id, bento_tag, resources }, options)),
      })),
    );
    const weights = { dep_served: 100 };
    const route = { endpoint_name: "churn", generation: 1, weights, mirror_deployment_id: "dep_shadow" };
    expect(await router.apply(route, servers, options)).toEqual(route);
    const { body: described } = await request(`http://${servers[0]?.host}:3000/sample`);
    const { sample } = sampleSchema.parse(parsedJson(await described.text()));
    for (let sent = 0; sent < 10; sent += 1) {
      const answer = await request(`${endpoint_url}/invocations`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(sample),
      });
      expect(await answer.body.text()).toMatch(/predictions/);
      expect(answer).toMatchObject({ statusCode: 200, headers: { "x-deployment-id": "dep_served" } });
    }
    const figures = await pollUntil(
      async () => {
        const found = await router.figures("churn", options);
        return found.every(({ requests }) => requests === 10) && found.length === 2 ? found : null;
      },
      { deadlineMs: 120_000, what: "10 counted requests of each" },
    );
    expect(figures).toMatchObject(deployments.map((deployment_id) => ({ deployment_id, errors: 0 })));
    for (const id of deployments) {
      await pollUntil(async () => (await predictionLogs.read(id, null, options)).predictions.length === 10, {
        deadlineMs: 120_000,
        what: `10 logged predictions of ${id}`,
      });
    }
  } finally {
    await router.close("churn", options);
    for (const id of await server.list()) await server.stop(id, options);
    await client.close();
    await workshop.close();
    await rm(bentos, { recursive: true, force: true });
  }
});
