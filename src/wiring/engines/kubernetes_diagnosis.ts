import { readBase } from "../../mlops/images/image_parts.ts";
import { parseRepository } from "../../mlops/images/image_reference.ts";
import { RegistryClient } from "../../mlops/images/registry_client.ts";
import { registryCredentials } from "../../mlops/images/registry_credentials.ts";
import { readClusterAccess } from "../../mlops/kubernetes/api/cluster_access.ts";
import { ClusterClient } from "../../mlops/kubernetes/api/cluster_client.ts";
import {
  ClusterDiagnosis,
  type ClusterFinding,
} from "../../mlops/kubernetes/installation/cluster_diagnosis.ts";
import { gatewayRights } from "../../mlops/kubernetes/installation/cluster_rights.ts";
import type { KubernetesSettings } from "../settings/engine_settings.ts";

type Looks = Record<string, (signal: AbortSignal) => Promise<Pick<ClusterFinding, "found" | "problem">>>;

/** The looks that `doctor` takes at a cluster and its registry; each makes and changes nothing. */
export function kubernetesLooks(settings: KubernetesSettings): Looks {
  const { router } = settings;
  const asked = async (look: (diagnosis: ClusterDiagnosis) => Promise<ClusterFinding>) => {
    const client = new ClusterClient(await readClusterAccess(settings), { attempts: 1 });
    try {
      return await look(new ClusterDiagnosis(client, settings.namespace));
    } finally {
      await client.close();
    }
  };
  return {
    cluster: (signal) => asked((diagnosis) => diagnosis.version(signal)),
    rights: (signal) =>
      asked((diagnosis) => diagnosis.rights(signal, router.kind === "gateway" ? gatewayRights : [])),
    ...(router.kind === "gateway" && {
      gateway: (signal) => asked((diagnosis) => diagnosis.gateway(router, signal)),
    }),
    autoscaling: (signal) => asked((diagnosis) => diagnosis.metrics(signal)),
    ...imageLooks(settings),
  };
}

function imageLooks(settings: KubernetesSettings): Looks {
  const { images } = settings;
  if (images.kind === "own") return {};
  return {
    "base image": async (signal) => {
      const { platform } = await readBase(registryOf(settings), images.base, signal);
      return { found: `Python ${platform.python} on ${platform.architecture}`, problem: null };
    },
    registry: async (signal) => {
      const nothing = `sha256:${"0".repeat(64)}`;
      await registryOf(settings).hasBlob(parseRepository(images.repository), nothing, signal);
      const found = `${images.repository} answers; whether it takes images shows with the first`;
      return { found, problem: null };
    },
  };
}

function registryOf({ dockerConfig }: KubernetesSettings): RegistryClient {
  return new RegistryClient((host) => registryCredentials(dockerConfig, host));
}
