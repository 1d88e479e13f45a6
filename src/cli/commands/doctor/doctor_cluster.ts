import { settingsFor } from "../../../wiring/engines/installed_engines.ts";
import type { Configuration } from "../../../wiring/settings/configuration.ts";
import type { Check } from "../../../service/machine/machine_schemas.ts";
import { check, CHECK_MS, fine, weak } from "./doctor_finding.ts";

/** The cluster that models are served on, where one is configured. */
export async function checkCluster(configuration: Configuration): Promise<Check[]> {
  const engine = settingsFor("kubernetes", configuration);
  if (engine === null) return [];
  const { kubernetesLooks } = await import("../../../wiring/engines/kubernetes_diagnosis.ts");
  return Promise.all(
    Object.entries(kubernetesLooks(engine)).map(([part, look]) =>
      check(part, async () => {
        const { found, problem } = await look(AbortSignal.timeout(CHECK_MS));
        return problem === null ? fine(found) : weak(found, problem);
      }),
    ),
  );
}
