import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isolationSchema } from "../../agents/model_deployer/domain/entities.ts";
import type { ModelServer, ServerObservation } from "../../agents/model_deployer/ports/model_server_port.ts";
import { addressOf, describeSeveralServers } from "./several_servers_contract.ts";

export interface ServerSubject {
  server: ModelServer;
  /** Two bentos in the store that can be served, and one whose model cannot be loaded. */
  bento_tags: [string, string];
  broken_tag: string;
  /** A pattern that the broken bento's error has to match. */
  broken_reason: RegExp;
  /** A bento of which the model was changed after it was built. */
  changed_tag: string;
  /** Ends the server's processes without a word; the second server of a deployment is `<deployment>.replica-2`. */
  kill(name: string): Promise<void>;
  close(): Promise<void>;
}

const LIMIT_MS = 300_000;
const patience = () => ({ signal: AbortSignal.timeout(LIMIT_MS) });
const resources = {
  replicas: 1,
  cpu_limit: "1",
  memory_limit: "1Gi",
  autoscaling: { min: 1, max: 1, target_cpu: 70 },
};

/** The subject, once it is open, and its server asked with patience. */
interface Given {
  subject: () => ServerSubject;
  start: (deploymentId: string, bentoTag: string) => Promise<ReturnType<typeof addressOf>>;
  observe: (deploymentId: string) => Promise<ServerObservation>;
  stop: (deploymentId: string) => Promise<void>;
}

/**
 * The contract of ModelServer.
 * @param looksAfterNumbers an engine that itself keeps as many servers as are wanted behind one address
 */
export function describeModelServer(
  name: string,
  open: () => Promise<ServerSubject>,
  { looksAfterNumbers = false }: { looksAfterNumbers?: boolean } = {},
): void {
  describe(`model server: ${name}`, { timeout: LIMIT_MS }, () => {
    let subject: ServerSubject;
    const start = async (deployment_id: string, bento_tag: string) =>
      addressOf(await subject.server.start({ deployment_id, bento_tag, resources }, patience()));
    const observe = (deploymentId: string) => subject.server.observe(deploymentId, patience());
    const stop = (deploymentId: string) => subject.server.stop(deploymentId, patience());

    beforeAll(async () => {
      subject = await open();
    }, 900_000);

    afterAll(async () => {
      for (const id of await subject.server.list()) await stop(id);
      await subject.close();
    });
    const given: Given = { subject: () => subject, start, observe, stop };
    describeServing(given);
    describeRefusedServers(given);
    describeFurtherServers(given);

    if (!looksAfterNumbers) describeSeveralServers(() => subject);
  });
}

function describeServing(given: Given): void {
  it("serves a deployment, adopts it, and ends it", async () => {
    const [tag] = given.subject().bento_tags;
    expect(await given.observe("dep_one")).toEqual({ state: "absent" });
    // Two at once end with one server.
    const [address, same] = await Promise.all([given.start("dep_one", tag), given.start("dep_one", tag)]);
    expect(same).toEqual(address);
    expect(await given.observe("dep_one")).toMatchObject({ state: "ready", ...address, bento_tag: tag });
    expect(await given.start("dep_one", tag)).toEqual(address);
    expect(await given.subject().server.list()).toEqual(["dep_one"]);
    await given.stop("dep_one");
    expect(await given.observe("dep_one")).toEqual({ state: "absent" });
    expect(await given.subject().server.list()).toEqual([]);
    await given.stop("dep_one");
  });

  it("tells what contains a server, of one that it adopts too", async () => {
    const [bento_tag] = given.subject().bento_tags;
    const input = { deployment_id: "dep_told", bento_tag, resources };
    const { isolation } = await given.subject().server.start(input, patience());
    expect(isolationSchema.options).toContain(isolation);
    expect(await given.subject().server.start(input, patience())).toMatchObject({ isolation });
    await given.stop("dep_told");
  });

  it("hands a running server over to another deployment, which alone may end it then", async () => {
    const [tag, other] = given.subject().bento_tags;
    const handOver = (from: string, deployment_id: string, bento_tag = tag) =>
      given.subject().server.handOver(from, { deployment_id, bento_tag }, patience());
    expect(await handOver("dep_nobody", "dep_heir")).toBe(false);
    const address = await given.start("dep_given", tag);
    expect(await handOver("dep_given", "dep_heir", other)).toBe(false);
    expect(await handOver("dep_given", "dep_heir")).toBe(true);
    expect(await handOver("dep_given", "dep_late")).toBe(false);
    expect(await given.observe("dep_given")).toEqual({ state: "absent" });
    await given.stop("dep_given");
    expect(await given.observe("dep_heir")).toMatchObject({ state: "ready", ...address, bento_tag: tag });
    expect(await given.start("dep_heir", tag)).toEqual(address);
    expect(await given.subject().server.list()).toEqual(["dep_heir"]);
    const anew = await given.start("dep_given", tag);
    expect(anew).not.toEqual(address);
    expect(await handOver("dep_heir", "dep_given")).toBe(false);
    await given.stop("dep_heir");
    expect(await given.observe("dep_heir")).toEqual({ state: "absent" });
    expect(await given.observe("dep_given")).toMatchObject({ state: "ready", ...anew, bento_tag: tag });
    await given.stop("dep_given");
    expect(await given.subject().server.list()).toEqual([]);
  });
}

function describeRefusedServers(given: Given): void {
  it("starts nothing from files that are not those which the bento was built from", async () => {
    const attempt = given.start("dep_changed", given.subject().changed_tag);
    await expect(attempt).rejects.toMatchObject({ code: "endpoint_creation_failed" });
    await expect(attempt).rejects.toThrow(/its model has the digest \w+, and was built from \w+/);
    expect(await given.observe("dep_changed")).toEqual({ state: "absent" });
    expect(await given.subject().server.list()).toEqual([]);
  });

  it("refuses a bento that is not in the store", async () => {
    const [tag] = given.subject().bento_tags;
    for (const unknown of [`${tag}2`, "e2i_nobody:v1", "../x:v1"]) {
      await expect(given.start("dep_unknown", unknown)).rejects.toMatchObject({
        code: "endpoint_creation_failed",
      });
    }
    expect(await given.observe("dep_unknown")).toEqual({ state: "absent" });
  });

  it("keeps a running deployment on its tag, and deployments apart", async () => {
    const [one, other] = given.subject().bento_tags;
    const address = await given.start("dep_kept", one);
    await expect(given.start("dep_kept", other)).rejects.toThrow(/dep_kept already serves/);
    expect(await given.observe("dep_kept")).toMatchObject({ state: "ready", ...address, bento_tag: one });
    const second = await given.start("dep_second", other);
    expect(second).not.toEqual(address);
    expect((await given.subject().server.list()).sort()).toEqual(["dep_kept", "dep_second"]);
    await given.stop("dep_second");
    expect(await given.observe("dep_kept")).toMatchObject({ state: "ready" });
    await given.stop("dep_kept");
  });

  it("names why a model cannot be loaded, and leaves nothing", async () => {
    const attempt = given.start("dep_broken", given.subject().broken_tag);
    await expect(attempt).rejects.toThrow(given.subject().broken_reason);
    await expect(attempt).rejects.toMatchObject({ code: "endpoint_creation_failed" });
    expect(await given.observe("dep_broken")).toEqual({ state: "absent" });
    expect(await given.subject().server.list()).toEqual([]);
  });

  it.each(["", "../dep", "dep/x", "dep\n", "-dep", "d".repeat(181)])(
    "refuses the deployment id %j",
    async (id) => {
      await expect(given.start(id, given.subject().bento_tags[0])).rejects.toMatchObject({
        code: "endpoint_creation_failed",
      });
      await expect(given.observe(id)).rejects.toMatchObject({ code: "endpoint_creation_failed" });
      await expect(given.stop(id)).rejects.toMatchObject({ code: "endpoint_creation_failed" });
    },
  );

  it("does nothing once the deadline has passed", async () => {
    const late = { signal: AbortSignal.abort() };
    const [tag] = given.subject().bento_tags;
    const { server } = given.subject();
    const unavailable = { code: "service_unavailable" };
    const started = server.start({ deployment_id: "dep_late", bento_tag: tag, resources }, late);
    await expect(started).rejects.toMatchObject(unavailable);
    await expect(server.observe("dep_late", late)).rejects.toMatchObject(unavailable);
    await expect(server.stop("dep_late", late)).rejects.toMatchObject(unavailable);
    expect(await given.observe("dep_late")).toEqual({ state: "absent" });
  });
}

function describeFurtherServers(given: Given): void {
  it("reports a killed server, and starts it again", async () => {
    const [tag] = given.subject().bento_tags;
    const before = await given.start("dep_killed", tag);
    await given.subject().kill("dep_killed");
    expect(await given.observe("dep_killed")).toMatchObject({ state: "failed" });
    const after = await given.start("dep_killed", tag);
    expect(after).toEqual(before);
    expect(await given.observe("dep_killed")).toMatchObject({ state: "ready", ...after, bento_tag: tag });
    await given.subject().kill("dep_killed");
    await given.stop("dep_killed");
    expect(await given.observe("dep_killed")).toEqual({ state: "absent" });
    expect(await given.subject().server.list()).toEqual([]);
  });

  it("starts another server beside the one that runs, which goes on until it is stopped", async () => {
    const [tag] = given.subject().bento_tags;
    const former = await given.start("dep_beside", tag);
    const input = { deployment_id: "dep_beside", bento_tag: tag, resources, served_before: true };
    const beside = async () =>
      addressOf(await given.subject().server.start({ ...input, beside: true }, patience()));
    const next = await beside();
    expect(next).not.toEqual(former);
    expect(await given.observe("dep_beside")).toMatchObject({ state: "ready", ...next, replaced: true });
    expect(await given.subject().server.list()).toEqual(["dep_beside"]);
    expect(await beside()).toEqual(next);
    await given.subject().server.stop("dep_beside", { ...patience(), only_former: true });
    const alone = await given.observe("dep_beside");
    expect(alone).toMatchObject({ state: "ready", ...next });
    expect(alone).not.toHaveProperty("replaced");
    const third = await beside();
    expect(third).not.toEqual(next);
    await given.stop("dep_beside");
    expect(await given.observe("dep_beside")).toEqual({ state: "absent" });
    expect(await given.subject().server.list()).toEqual([]);
  });
}
