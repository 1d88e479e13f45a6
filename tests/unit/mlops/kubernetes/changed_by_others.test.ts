import { describe, expect, test } from "vitest";
import { serverSettings } from "../../../support/kubernetes/cluster_with_servers.ts";
import { clusterForEachTest, input, options } from "../../../support/kubernetes/cluster_for_each_test.ts";

const { here, only } = clusterForEachTest();

describe("what somebody else does to it", () => {
  const nameOfDeployment = () => only("deployments")?.metadata.name ?? "";

  test("a Deployment that is deleted is absent, and a Service that is deleted is told and made again", async () => {
    await here().server.start(input, options());
    const { name, uid } = only("services")?.metadata ?? { name: "", uid: "" };
    here().cluster.objects.remove("services", name, uid);
    expect(await here().server.observe("dep_one", options())).toMatchObject({
      state: "failed",
      reason: `its Service ${name} is gone; a start makes it again`,
    });
    await here().server.start(input, options());
    expect(await here().server.observe("dep_one", options())).toMatchObject({ state: "ready" });
    here().cluster.objects.remove("deployments", nameOfDeployment(), undefined);
    expect(await here().server.observe("dep_one", options())).toEqual({ state: "absent" });
  });

  test("another image is told, with the one that is wanted", async () => {
    await here().server.start(input, options());
    const deployment = JSON.stringify(only("deployments"));
    const image = /"image":"([^"]+)"/.exec(deployment)?.[1];
    here().cluster.objects.update(
      "deployments",
      nameOfDeployment(),
      JSON.parse(deployment.replaceAll(/"image":"[^"]+"/g, '"image":"nginx:latest"')),
    );
    expect(await here().server.observe("dep_one", options())).toMatchObject({
      state: "failed",
      reason: `somebody changed its image to nginx:latest: stop it, and it is started anew from ${image ?? ""}`,
    });
  });

  test("a change that no controller has looked at yet takes no server away", async () => {
    const { host } = await here().server.start(input, options());
    here().cluster.node.isAsleep = true;
    here().cluster.objects.patch("deployments", nameOfDeployment(), { spec: { replicas: 3 } });
    expect(await here().server.observe("dep_one", options())).toMatchObject({ state: "ready", host });
  });

  test("two installations in one namespace see their own servers only", async () => {
    const settings = { ...serverSettings, installation: "other" };
    const other = here().another({ settings });
    await here().server.start(input, options());
    expect(await other.list()).toEqual([]);
    await other.start(input, options());
    await other.stop("dep_one", options());
    expect(await here().server.list()).toEqual(["dep_one"]);
  });
});
