import { randomUUID } from "node:crypto";
import { ConfigurationError } from "../../src/agents/model_deployer/errors.ts";
import { ClusterClient } from "../../src/mlops/kubernetes/api/cluster_client.ts";
import { readClusterAccess } from "../../src/mlops/kubernetes/api/cluster_access.ts";
import { type Configuration, readConfiguration } from "../../src/wiring/settings/configuration.ts";
import { settingsFor } from "../../src/wiring/engines/installed_engines.ts";
import type { KubernetesSettings } from "../../src/wiring/settings/engine_settings.ts";

export interface RealCluster {
  configuration: Configuration;
  settings: KubernetesSettings;
  client: ClusterClient;
  /** Where a server of this process is reached by pods; of the node that `npm run test:kubernetes` makes. */
  ownAddress: string;
}

/**
 * The cluster that the environment names, with an installation of the test's own in its namespace.
 * @param chosen settings in place of the environment's
 */
export async function realCluster(home: string, chosen: Record<string, string> = {}): Promise<RealCluster> {
  const MODEL_DEPLOYER_KUBERNETES_INSTALLATION = `t${randomUUID().slice(0, 8)}`;
  const own = { MODEL_DEPLOYER_HOME: home, MODEL_DEPLOYER_KUBERNETES_INSTALLATION };
  const configuration = readConfiguration({ ...process.env, ...own, ...chosen });
  const settings = settingsFor("kubernetes", configuration);
  if (settings === null) {
    throw new ConfigurationError(
      "These tests need MODEL_DEPLOYER_ENGINE=kubernetes: run npm run test:kubernetes.",
    );
  }
  const client = new ClusterClient(await readClusterAccess(settings));
  return { configuration, settings, client, ownAddress: "10.244.0.1" };
}
