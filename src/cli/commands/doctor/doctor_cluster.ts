import type { Configuration } from "../../../wiring/settings/configuration.ts";
import type { Check } from "../../../service/report_schemas.ts";
import { check, CHECK_MS, fine, weak } from "./doctor_finding.ts";

/** The cluster that models are served on, where that is not this machine. */
export async function checkEngine({ engine }: Configuration): Promise<Check[]> {
  if (engine.kind !== "kubernetes") return [];
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
