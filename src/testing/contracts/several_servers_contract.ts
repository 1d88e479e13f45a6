import { expect, it } from "vitest";
import type { ModelServer, ServerObservation } from "../../agents/model_deployer/ports/model_server_port.ts";

interface ReplicatedSubject {
  server: ModelServer;
  bento_tags: [string, string];
  kill(name: string): Promise<void>;
}

const LIMIT_MS = 300_000;
const patience = () => ({ signal: AbortSignal.timeout(LIMIT_MS) });
const resourcesFor = (replicas: number) => ({
  replicas,
  cpu_limit: "1",
  memory_limit: "1Gi",
  autoscaling: { min: 1, max: 3, target_cpu: 70 },
});

/** The part of a started server's answer that an observation has too. */
export function addressOf({ host, port }: { host: string; port: number }) {
  return { host, port };
}

/** The part of the contract of ModelServer that is about deployments with several servers. */
export function describeSeveralServers(subjectOf: () => ReplicatedSubject): void {
  const start = async (
    deployment_id: string,
    replicas: number,
    more: { beside?: true; replica?: number } = {},
  ) => {
    const { server, bento_tags } = subjectOf();
    const resources = resourcesFor(replicas);
    const input = { deployment_id, bento_tag: bento_tags[0], resources, served_before: true, ...more };
    return addressOf(await server.start(input, patience()));
  };
  const observe = (id: string) => subjectOf().server.observe(id, patience());

  it("brings a deployment to as many servers as are asked for, whatever some of them do meanwhile", async () => {
    const { server } = subjectOf();
    const first = await start("dep_many", 2);
    const two = await observe("dep_many");
    expect(two).toMatchObject({ state: "ready", ...first });
    expect(shown(two)).toEqual(["1 ready", "2 ready"]);
    expect(new Set(portsOf(two)).size).toBe(2);
    expect(await server.list()).toEqual(["dep_many"]);

    await subjectOf().kill("dep_many.replica-2");
    const one = await observe("dep_many");
    expect(one).toMatchObject({ state: "ready", ...first });
    expect(shown(one)).toEqual(["1 ready", "2 failed"]);
    await start("dep_many", 2);
    expect(portsOf(await observe("dep_many"))).toEqual(portsOf(two));

    await start("dep_many", 1);
    const fewer = await observe("dep_many");
    expect(fewer).toMatchObject({ state: "ready", ...first, replaced: true });
    expect(shown(fewer)).toEqual(["1 ready"]);
    await server.stop("dep_many", { ...patience(), only_former: true });
    expect(await observe("dep_many")).not.toHaveProperty("replaced");
    await server.stop("dep_many", patience());
    expect(await observe("dep_many")).toEqual({ state: "absent" });
    expect(await server.list()).toEqual([]);
  });

  it("replaces one of several, and hands all of them over", async () => {
    const { server, bento_tags } = subjectOf();
    await start("dep_several", 2);
    const before = portsOf(await observe("dep_several"));
    await start("dep_several", 2, { beside: true, replica: 2 });
    const beside = await observe("dep_several");
    expect(beside).toMatchObject({ replaced: true });
    expect(portsOf(beside)[0]).toBe(before[0]);
    expect(portsOf(beside)[1]).not.toBe(before[1]);
    await server.stop("dep_several", { ...patience(), only_former: true });

    const to = { deployment_id: "dep_heirs", bento_tag: bento_tags[0] };
    expect(await server.handOver("dep_several", to, patience())).toBe(true);
    expect(await observe("dep_several")).toEqual({ state: "absent" });
    expect(portsOf(await observe("dep_heirs"))).toEqual(portsOf(beside));
    await server.stop("dep_heirs", patience());
    expect(await server.list()).toEqual([]);
  });
}

const replicasOf = (observed: ServerObservation) =>
  observed.state === "ready" ? (observed.replicas ?? []) : [];
const shown = (observed: ServerObservation) =>
  replicasOf(observed).map(({ replica, state }) => `${replica} ${state}`);
const portsOf = (observed: ServerObservation) => replicasOf(observed).map(({ port }) => port);
