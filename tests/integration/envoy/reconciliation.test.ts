import { beforeAll, expect, test } from "vitest";
import { createCapabilities } from "../../../src/agents/model_deployer/capabilities.ts";
import { createModelDeployerGraph } from "../../../src/agents/model_deployer/graph.ts";
import type { CallOptions } from "../../../src/agents/model_deployer/ports/call_options.ts";
import { InMemoryModelServer } from "../../../src/testing/in_memory/model_server.ts";
import {
  ENDPOINT,
  errorOf,
  givenDeployer,
  liveThread,
  promote,
  register,
} from "../../support/given/given_deployer.ts";
import { type EnvoyFixture, makeEnvoyFixture, prepareEnvoy } from "./fixture.ts";

beforeAll(prepareEnvoy, 20 * 60_000);

const options: CallOptions = { signal: new AbortController().signal };
const STAGING = `${ENDPOINT}_staging`;

/** Its servers answer at a port of their own, another one after each start, as real ones do. */
class AnsweringServer extends InMemoryModelServer {
  readonly #ports = new Map<string, number>();
  readonly #fixture: EnvoyFixture;

  constructor(packager: ConstructorParameters<typeof InMemoryModelServer>[0], fixture: EnvoyFixture) {
    super(packager);
    this.#fixture = fixture;
  }

  override async start(...[input, given]: Parameters<InMemoryModelServer["start"]>) {
    const started = await super.start(input, given);
    const { address } = await this.#fixture.startServer(input.deployment_id);
    this.#ports.set(input.deployment_id, address.port);
    return { ...started, port: address.port };
  }

  override async observe(...[id, given]: Parameters<InMemoryModelServer["observe"]>) {
    const observed = await super.observe(id, given);
    return observed.state === "ready"
      ? { ...observed, port: this.#ports.get(id) ?? observed.port }
      : observed;
  }
}

test("on a real router: a killed listener and a dead server are brought back at the same address", async () => {
  const fixture = await makeEnvoyFixture();
  try {
    const given = await givenDeployer();
    const server = new AnsweringServer(given.packager, fixture);
    const parts = { ...given.capabilities.parts, server, router: fixture.router };
    const capabilities = createCapabilities(parts, given.capabilities.settings);
    const graph = createModelDeployerGraph(capabilities);
    const version = await register(given, "run1");
    await promote(given, version, "staging");
    const request = { deployment_action: "deploy", model_version_id: version, target_stage: "staging" };
    const { deployment_manifest: manifest } = await graph.invoke(request, liveThread());
    const { deployment_id, endpoint_url } = manifest ?? expect.fail("no manifest");
    const answered = () => fixture.predict(endpoint_url);
    expect(await answered()).toMatchObject({ status: 200, deployment_id, generation: 1 });

    await fixture.crash(STAGING);
    await expect(answered()).rejects.toThrow();
    const reopened = await capabilities.reconciler.reconcile(options);
    expect(reopened.findings).toMatchObject([{ part: "router", subject: STAGING, outcome: "repaired" }]);
    expect(await answered()).toMatchObject({ status: 200, deployment_id, generation: 1 });

    await server.stop(deployment_id, options);
    const restarted = await capabilities.reconciler.reconcile(options);
    expect(restarted.findings).toMatchObject([
      { part: "servers", subject: deployment_id, outcome: "repaired" },
    ]);
    expect(await answered()).toMatchObject({ status: 200, deployment_id, generation: 1 });
    expect((await capabilities.reconciler.reconcile(options)).findings).toEqual([]);
    await fixture.router.close(STAGING, options);
    expect((await errorOf(fixture.router.figures(STAGING, options))).code).toBe("service_unavailable");
  } finally {
    await fixture.router.close(STAGING, options);
    await fixture.dispose();
  }
}, 120_000);
