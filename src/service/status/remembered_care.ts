import { cautionOf, type Experience } from "../../agents/model_deployer/actions/deploy/caution.ts";
import { count } from "../../agents/model_deployer/planning/wording/count.ts";
import type { ProceduralMemory } from "../../agents/model_deployer/ports/memory_ports.ts";
import type { CallOptions } from "../../agents/model_deployer/ports/call_options.ts";

const SHARES = ["", "half", "a quarter", "an eighth"];

/** How the memory of each model family changes its next rollout, as a sentence. @throws what the memory throws */
export async function rememberedCare(
  procedural: Pick<ProceduralMemory, "experience">,
  modelNames: readonly string[],
  options: CallOptions,
): Promise<string[]> {
  return Promise.all(
    modelNames.map(async (name) => {
      const [rollbacks, rollouts] = await Promise.all([
        procedural.experience(`rollback:${name}`, options),
        procedural.experience(`rollout:${name}`, options),
      ]);
      return careSentence(name, {
        rollbacks: rollbacks.usage_count,
        completed_rollouts: rollouts.success_count,
      });
    }),
  );
}

/** By `cautionOf`; rollbacks of the last hour, which count beside the memory, are not in it. */
function careSentence(name: string, experience: Experience): string {
  const { rollbacks, completed_rollouts: completed } = experience;
  const past = `${name} was rolled back ${count(rollbacks, "time")} and completed ${count(completed, "rollout")}`;
  const caution = cautionOf(experience, 0);
  return caution === 0
    ? `${past}: its next rollout begins and bakes as it is asked for.`
    : `${past}: its next rollout begins with ${SHARES[caution]} of the first step that is asked for, and each bake is ${1 + caution} times as long.`;
}
