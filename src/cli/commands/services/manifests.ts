import { mkdir, readdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { ConfigurationError } from "../../../agents/model_deployer/errors.ts";
import { configured } from "../../../agents/model_deployer/domain/servers/engines.ts";
import { installedEngines, settingsFor } from "../../../wiring/engines/installed_engines.ts";
import type { InstallationInput } from "../../../mlops/kubernetes/installation/installation_manifests.ts";
import { ownVersion } from "../../own_version.ts";
import type { Execute } from "../../invocation/execute.ts";
import { manifestListSchema } from "../../../service/machine/machine_schemas.ts";
import type { KubernetesSettings, RouterChoice } from "../../../wiring/settings/engine_settings.ts";
import type { Invocation } from "../../invocation/invocation.ts";
import { report, type Report } from "../../invocation/command_report.ts";

interface Options {
  image: string;
  secret: string;
  serviceMonitor?: boolean;
  chart?: string;
}

export function addManifests(program: CommandUnknownOpts, execute: Execute): void {
  program
    .command("manifests")
    .description(
      "print what an installation in a Kubernetes cluster needs, for `kubectl apply -f -`: a worker with its routers, its account and the least rights",
    )
    .requiredOption("--image <image>", "an image with Node, Python and this package")
    .option("--secret <name>", "a Secret with DATABASE_URL and the like as its keys", "model-deployer")
    .option("--service-monitor", "with a ServiceMonitor, which needs Prometheus' operator in the cluster")
    .option("--chart <folder>", "write the same as a Helm chart into this folder, which is new or empty")
    .action((options: Options) => execute("manifests", (invocation) => manifests(invocation, options)));
}

/** Asks nobody: what it prints follows from the settings alone. */
async function manifests(
  invocation: Invocation,
  { image, secret, serviceMonitor = false, chart }: Options,
): Promise<Report> {
  const configuration = await invocation.configuration();
  const engine = settingsFor("kubernetes", configuration);
  const engines = configured(installedEngines(configuration)).join(",");
  if (engine === null) {
    throw new ConfigurationError(
      `MODEL_DEPLOYER_ENGINE is ${engines}, which needs no manifests: set it to kubernetes, with the settings that belong to it.`,
    );
  }
  const [{ installationManifests }, { stringify }] = await Promise.all([
    import("../../../mlops/kubernetes/installation/installation_manifests.ts"),
    import("yaml"),
  ]);
  const { namespace, installation, pullSecret: registrySecret } = engine;
  const input = {
    namespace,
    installation,
    image,
    environment: environmentOf(engine, engines),
    secret,
    registrySecret,
    gateway: engine.router.kind === "gateway" ? engine.router : null,
    serviceMonitor,
  };
  if (chart !== undefined) await writeChart(chart, input);
  const items = installationManifests(input);
  return report(manifestListSchema, { apiVersion: "v1", kind: "List", items }, (list) =>
    chart !== undefined
      ? [`The chart is in ${chart}: helm install model-deployer ${chart} --namespace ${namespace}`]
      : list.items.flatMap((item) => ["---", ...stringify(item).trimEnd().split("\n")]),
  );
}

/** The settings of the worker in the cluster, as they are here. */
function environmentOf({ images, router, controlPlane, pullSecret }: KubernetesSettings, engines: string) {
  return {
    MODEL_DEPLOYER_ENGINE: engines,
    ...(images.kind === "own"
      ? { MODEL_DEPLOYER_OWN_IMAGES: images.pattern }
      : { MODEL_DEPLOYER_IMAGE_REPOSITORY: images.repository, MODEL_DEPLOYER_IMAGE_BASE: images.base }),
    ...routerEnvironment(router),
    ...(controlPlane !== null && { MODEL_DEPLOYER_KUBERNETES_CONTROL_PLANE: controlPlane }),
    ...(pullSecret !== null && { MODEL_DEPLOYER_IMAGE_PULL_SECRET: pullSecret }),
  };
}

async function writeChart(folder: string, input: InstallationInput): Promise<void> {
  const { chartFiles } = await import("../../../mlops/kubernetes/installation/helm_chart.ts");
  await mkdir(folder, { recursive: true });
  if ((await readdir(folder)).length > 0) {
    throw new ConfigurationError(`${folder} is not empty: name a new folder for the chart, or empty it.`);
  }
  for (const [path, content] of Object.entries(chartFiles(input, ownVersion()))) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
}

function routerEnvironment(router: RouterChoice): Record<string, string> {
  switch (router.kind) {
    case "worker":
      return { MODEL_DEPLOYER_ROUTER: "worker" };
    case "cluster":
      return {
        MODEL_DEPLOYER_ROUTER_IMAGE: router.image,
        MODEL_DEPLOYER_ROUTER_REPLICAS: String(router.replicas),
      };
    case "gateway":
      return {
        MODEL_DEPLOYER_ROUTER: "gateway",
        MODEL_DEPLOYER_GATEWAY_NAME: router.name,
        MODEL_DEPLOYER_GATEWAY_NAMESPACE: router.namespace,
        MODEL_DEPLOYER_GATEWAY_PODS_NAMESPACE: router.podsNamespace,
        MODEL_DEPLOYER_GATEWAY_ADDRESS: router.address,
        MODEL_DEPLOYER_ROUTER_IMAGE: router.image,
        ...(router.listener !== null && { MODEL_DEPLOYER_GATEWAY_LISTENER: router.listener }),
      };
    default:
      return router satisfies never;
  }
}
