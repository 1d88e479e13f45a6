import fc from "fast-check";
import { checkProperty } from "../harness/checked_property.ts";
import type { FaultRow } from "../harness/fault_row.ts";
import { newLifecycle } from "../lifecycle/life.ts";
import { RealLifecycle } from "../lifecycle/real.ts";
import { scripts } from "../lifecycle/script.ts";
import { openScratchDeployer } from "../harness/scratch.ts";

const NAME = "lifecycle-scripts";
const SIZES = { selection: { runs: 4, longest: 20 }, whole: { runs: 100, longest: 40 } };

export const lifecycleScripts: FaultRow = {
  name: NAME,
  fault:
    "Scripts of registrations, promotions, deployments, rollouts, rollbacks, crashes, calls that are cut off and time that passes are played to the deployer and to a small model of the specification: after each step both say the same, and every invariant holds.",
  run: async (options) => {
    const { runs, longest } = SIZES[options.extent];
    const replayPath = options.path?.split("@")[1];
    const tally = new Map<string, number>();
    let finished = 0;
    const checked = await checkProperty(
      {
        row: NAME,
        arbitrary: scripts({ longest, ...(replayPath === undefined ? {} : { replayPath }) }),
        runs,
        shown: (script) => fc.stringify(script),
        predicate: async (script) => {
          const scratch = await openScratchDeployer(options.services);
          scratch.given.registry.addRun({
            run_id: "poor",
            metrics: { test_auc: 0.5 },
            models: { model: { "model.bin": "poor weights" } },
          });
          try {
            const setup = () => ({ model: newLifecycle(), real: new RealLifecycle(scratch, tally) });
            await fc.asyncModelRun(setup, script);
          } finally {
            await scratch.close();
          }
          finished += 1;
          if (finished % 25 === 0) options.onProgress(`${finished} scripts`);
        },
      },
      options,
    );
    const came = [...tally].sort(([a], [b]) => (a < b ? -1 : 1)).map(([what, count]) => `${count} ${what}`);
    return {
      ...checked,
      lost: 0,
      notes: [`${checked.cases} scripts of up to ${longest} steps`, `requests: ${came.join(", ")}`],
    };
  },
};
