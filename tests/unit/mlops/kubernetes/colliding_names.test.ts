import { expect, onTestFinished, test } from "vitest";
import { errorOf } from "../../../../src/testing/index.ts";
import {
  endpointObjectName,
  routerCompanions,
  routerDeployment,
  routerFiles,
} from "../../../../src/mlops/kubernetes/router/router_objects.ts";
import { MARKS, ownerLabel } from "../../../../src/mlops/kubernetes/server/object_names.ts";
import { clusterForEachTest, input, options } from "../../../support/kubernetes/cluster_for_each_test.ts";
import { clusterEnvoys, routerSettings } from "../../../support/kubernetes/cluster_router.ts";

// Nobody has found two names with one hash: each test puts under a name what another one with its hash would have there.
const { here, only } = clusterForEachTest();
const objects = () => here().cluster.objects;

test("a deployment whose name comes out as another one's gets a server under the next name, and ends only its own", async () => {
  await here().server.start(input, options());
  const { name } = only("deployments")?.metadata ?? { name: "" };
  objects().patch("deployments", name, {
    metadata: {
      labels: { [MARKS.owner]: ownerLabel("dep_other") },
      annotations: { [MARKS.deploymentId]: "dep_other" },
    },
  });
  await here().server.start(input, options());
  expect((await here().server.list()).sort()).toEqual(["dep_one", "dep_other"]);
  expect(await here().server.observe("dep_one", options())).toMatchObject({ state: "ready" });
  await here().server.stop("dep_one", options());
  expect(await here().server.list()).toEqual(["dep_other"]);
  expect(only("deployments")?.metadata.name).toBe(name);
});

const endpoint = { endpoint_name: "churn", bootstrap: "{}", clusters: "{}", routes: "{}" };
const name = endpointObjectName(routerSettings.installation, "churn");

function fleetOf() {
  const { fleet, client } = clusterEnvoys(here().cluster);
  onTestFinished(() => client.close());
  return fleet;
}

const ofFraud = { ...endpoint, endpoint_name: "fraud" };
const service = () =>
  routerCompanions(name, "fraud", routerSettings).find(({ plural }) => plural === "services")?.object;

test.each([
  ["configmaps", () => routerFiles(name, ofFraud, routerSettings)],
  ["services", service],
  ["deployments", () => routerDeployment(name, { ...ofFraud, bootstrap: "another" }, routerSettings)],
])(
  "an endpoint whose name comes out as that of another one, of which there are %s, is refused, and they are left",
  async (plural, object) => {
    objects().create(plural, object());
    const specOf = () =>
      JSON.stringify(
        objects()
          .list(plural)
          .map(({ metadata, ...rest }) => [metadata.annotations, rest["spec"], rest["data"]]),
      );
    const before = specOf();
    const error = await errorOf(fleetOf().open(endpoint, AbortSignal.timeout(60_000)));
    expect(error).toMatchObject({ code: "endpoint_creation_failed", retryable: false });
    expect(error.message).toContain("of endpoint fraud, whose name comes out the same as that of churn");
    expect(specOf()).toBe(before);
  },
);

test("what is none of the deployer's under that name is named, and left", async () => {
  objects().create("configmaps", {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name },
    data: { a: "b" },
  });
  const error = await errorOf(fleetOf().open(endpoint, AbortSignal.timeout(60_000)));
  expect(error.message).toContain(
    `has ${name} (configmaps) that is none of this deployer's: rename or delete it`,
  );
});
