import type { PlannedStep } from "../domain/plan.ts";

/**
 * Groups the steps of a repair into waves, in their order: the chains of one wave run side by side, the steps of a
 * chain in turn. Servers start side by side, each after its bento is packaged, and the router beside them; a step that
 * changes a route waits for all steps before it. Pure.
 */
export function repairWaves(steps: readonly PlannedStep[]): PlannedStep[][][] {
  const waves: { isAlone: boolean; chains: PlannedStep[][] }[] = [];
  let chain: PlannedStep[] = [];
  for (const step of steps) {
    chain.push(step);
    if (step.do.step === "package_model") continue;
    const isAlone = step.do.step !== "start_server" && step.do.step !== "open_endpoint";
    const last = waves.at(-1);
    if (last === undefined || isAlone || last.isAlone) waves.push({ isAlone, chains: [chain] });
    else last.chains.push(chain);
    chain = [];
  }
  return [...waves.map(({ chains }) => chains), ...(chain.length === 0 ? [] : [[chain]])];
}
