import { join } from "node:path";
import { Agent, request } from "undici";
import type { ModelPackager } from "../../agents/model_deployer/ports/model_packager_port.ts";
import { ConfigurationError } from "../../agents/model_deployer/errors.ts";
import type { Parts } from "../../agents/model_deployer/ports/parts.ts";
import { pushBento } from "../../mlops/bentocloud/bento_push.ts";
import { BentoCloudServer } from "../../mlops/bentocloud/bentocloud_server.ts";
import { CloudClient } from "../../mlops/bentocloud/cloud_client.ts";
import { bentoSchema } from "../../mlops/bentocloud/cloud_objects.ts";
import { wholeBento } from "../../mlops/bentoml/packaging/whole_bento.ts";
import { limitsEnvironment } from "../../mlops/bentoml/servers/serving_limits.ts";
import { ServerProbe } from "../../mlops/bentoml/servers/server_probe.ts";
import type { Configuration } from "../settings/configuration.ts";
import type { BentoCloudSettings } from "../settings/engine_settings.ts";

/** Servers on BentoCloud, and a packager whose bentos are ready when they are there. */
export function createBentoCloudEngine(
  configuration: Configuration,
  settings: BentoCloudSettings,
  { bentoml, packager }: { bentoml: string; packager: ModelPackager },
): Pick<Parts, "packager" | "predictionLogs"> & { server: BentoCloudServer } {
  const { home, limits } = configuration;
  const client = new CloudClient(settings.endpoint, settings.token);
  const bentos = join(home, "bentoml");
  const isThere = async (bentoTag: string, signal: AbortSignal) => {
    const [name = "", version = ""] = bentoTag.split(":");
    const found = await client.get(
      `/api/v1/bento_repositories/${name}/bentos/${version}`,
      bentoSchema,
      signal,
    );
    return found?.upload_status === "success";
  };
  const push: ModelPackager["prepareServing"] = async (bentoTag, options) => {
    await wholeBento(bentos, bentoTag);
    if (await isThere(bentoTag, options.signal)) return;
    options.onProgress?.(`pushing ${bentoTag} to BentoCloud`);
    const { endpoint, token } = settings;
    const pushing = { bentoml, home: bentos, endpoint, token, limitSeconds: limits.buildSeconds };
    await pushBento(bentoTag, pushing, options);
  };
  return {
    packager: {
      packageModel: (input, options) => packager.packageModel(input, options),
      findPackage: (bentoTag) => packager.findPackage(bentoTag),
      listPackages: (bentoTag) => packager.listPackages(bentoTag),
      isServable: async (bentoTag) =>
        (await packager.findPackage(bentoTag)) !== null && isThere(bentoTag, AbortSignal.timeout(20_000)),
      prepareServing: push,
    },
    server: cloudServer(client, configuration, settings, push),
    // The platform hands out no logs, so that predictions are not compared.
    predictionLogs: { read: (_id, from) => Promise.resolve({ predictions: [], position: from }) },
  };
}

/** For whoever only looks. */
export function observeBentoCloud(
  configuration: Configuration,
  settings: BentoCloudSettings,
): Pick<BentoCloudServer, "observe" | "trySample"> {
  const client = new CloudClient(settings.endpoint, settings.token);
  return cloudServer(client, configuration, settings, (bentoTag) => {
    throw new ConfigurationError(`an observer pushes no bento, and was asked for ${bentoTag}`);
  });
}

function cloudServer(
  client: CloudClient,
  { limits, serving, logs }: Configuration,
  { installation, concurrency, cluster, token }: BentoCloudSettings,
  push: ModelPackager["prepareServing"],
): BentoCloudServer {
  const environment = limitsEnvironment({ ...serving, logs });
  return new BentoCloudServer({
    client,
    settings: { installation, concurrency, cluster, environment, startSeconds: limits.startSeconds },
    push,
    probeAt: probeAt(token),
  });
}

/** Asks a deployment at its address, which takes the same token as the platform. */
export function probeAt(token: string): (url: string) => ServerProbe {
  const dispatcher = new Agent({ connections: 4 });
  const probes = new Map<string, ServerProbe>();
  return (url) => {
    const known = probes.get(url);
    if (known !== undefined) return known;
    const made = new ServerProbe(async ({ path, headers, body, signal }) => {
      const answer = await request(`${url}${path}`, {
        method: body === undefined ? "GET" : "POST",
        headers: { ...headers, authorization: `Bearer ${token}` },
        ...(body !== undefined && { body }),
        signal,
        dispatcher,
      });
      return { status: answer.statusCode, body: await answer.body.text() };
    });
    probes.set(url, made);
    return made;
  };
}
