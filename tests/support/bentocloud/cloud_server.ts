import { EndpointCreationError } from "../../../src/agents/model_deployer/errors.ts";
import { BentoCloudServer } from "../../../src/mlops/bentocloud/bentocloud_server.ts";
import { CloudClient } from "../../../src/mlops/bentocloud/cloud_client.ts";
import { probeAt } from "../../../src/wiring/engines/bentocloud_engine.ts";
import { StandInCloud } from "./stand_in_cloud.ts";

export interface CloudWithServers {
  cloud: StandInCloud;
  server: BentoCloudServer;
  /** Another process of the same deployer. */
  another(options?: { installation?: string; concurrency?: number | null }): BentoCloudServer;
  close(): Promise<void>;
}

/** A stand-in cloud that has bentos of these tags, or gets any, and a server that speaks to it. */
export async function openCloud(tags: readonly string[] | "any"): Promise<CloudWithServers> {
  const cloud = await StandInCloud.start();
  for (const tag of tags === "any" ? [] : tags) cloud.addBento(tag);
  const client = new CloudClient(cloud.address, cloud.token);
  const push = async (tag: string) => {
    if (tag.includes("changed")) {
      throw new EndpointCreationError(
        `bento ${tag} was changed: its model has the digest b, and was built from a`,
      );
    }
    if (tags === "any") return cloud.addBento(tag);
    if (!tags.includes(tag)) throw new EndpointCreationError(`bento ${tag} is not in the store`);
  };
  const another: CloudWithServers["another"] = ({ installation = "test", concurrency = null } = {}) =>
    new BentoCloudServer({
      client,
      settings: { installation, concurrency, environment: {}, startSeconds: 300, cluster: null },
      push,
      probeAt: probeAt(cloud.token),
      pollMs: 5,
    });
  const close = async () => {
    await client.close();
    await cloud.close();
  };
  return { cloud, server: another(), another, close };
}
