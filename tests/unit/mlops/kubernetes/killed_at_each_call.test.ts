import { describe, expect, test } from "vitest";
import { ClusterClient } from "../../../../src/mlops/kubernetes/api/cluster_client.ts";
import { type ClusterWithServers } from "../../../support/kubernetes/cluster_with_servers.ts";
import type { Fault } from "../../../support/kubernetes/api_server/call_faults.ts";
import {
  clusterForEachTest,
  input,
  made,
  options,
  tag,
} from "../../../support/kubernetes/cluster_for_each_test.ts";

const { here, only } = clusterForEachTest();

const faults: [string, Fault][] = [
  ["409", { status: 409, body: JSON.stringify({ kind: "Status", reason: "Conflict", message: "conflict" }) }],
  ["429", { status: 429 }],
  ["500", { status: 500 }],
  ["an expired token", { status: 401 }],
  ["a lost call", { lost: "call" }],
  ["a lost answer", { lost: "answer" }],
];

describe.each(faults)("%s at each call, after which its process is gone", (_name, fault) => {
  test("a start that is asked for again ends with one server, and a stop with none", async () => {
    const calls = await callsOf(() => here().server.start(input, options()));
    await here().server.stop("dep_one", options());
    for (let call = 0; call < calls; call += 1) {
      await cutOff(call, fault, (server) => server.start(input, options()));
      const { isolation: _, ...address } = await here().server.start(input, options());
      for (const plural of made) only(plural);
      expect(await here().server.observe("dep_one", options())).toMatchObject({ state: "ready", ...address });
      await cutOff(call, fault, (server) => server.stop("dep_one", options()));
      await here().server.stop("dep_one", options());
      for (const plural of [...made, "pods"]) expect(here().cluster.objects.list(plural)).toEqual([]);
    }
    expect(calls).toBeGreaterThan(8);
  });

  test("a server that is started beside one and handed over has one owner, and none is left over", async () => {
    const besides = { ...input, served_before: true, beside: true };
    const to = { deployment_id: "dep_two", bento_tag: tag };
    await here().server.start(input, options());
    const calls = await callsOf(() => here().server.start(besides, options()));
    await here().server.stop("dep_one", options());
    for (let call = 0; call < calls; call += 1) {
      await here().server.start(input, options());
      await cutOff(call, fault, (server) => server.start(besides, options()));
      await here().server.start(besides, options());
      await here().server.stop("dep_one", { ...options(), only_former: true });
      only("deployments");
      await cutOff(call, fault, (server) => server.handOver("dep_one", to, options()));
      await here().server.handOver("dep_one", to, options());
      expect(await here().server.list()).toEqual(["dep_two"]);
      await here().server.stop("dep_one", options());
      await here().server.stop("dep_two", options());
      for (const plural of made) expect(here().cluster.objects.list(plural)).toEqual([]);
    }
  });
});

async function callsOf(work: () => Promise<unknown>): Promise<number> {
  const before = here().cluster.calls.length;
  await work();
  return here().cluster.calls.length - before;
}

/** Meets the fault at this call and has no way to the cluster afterwards, as a process that was killed. */
async function cutOff(
  call: number,
  fault: Fault,
  work: (server: ClusterWithServers["server"]) => Promise<unknown>,
): Promise<void> {
  let left = call;
  const client = new ClusterClient(
    {
      server: here().cluster.address,
      certificateAuthority: null,
      serverName: null,
      clientCertificate: null,
      namespace: null,
      bearerToken: async () => {
        left -= 1;
        if (left === -1) here().cluster.meet(/./, fault);
        if (left < -1) throw new TypeError("this process was killed");
        return here().cluster.token;
      },
    },
    { attempts: 1 },
  );
  await work(here().another({ client })).catch(() => undefined);
  here().cluster.forgetFaults();
  await client.close();
}
