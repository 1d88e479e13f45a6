import fc from "fast-check";
import { type Fault, type FaultOptions, faults } from "../harness/fault_proxy.ts";
import type { FaultRow, RowOptions, RowResult } from "../harness/fault_row.ts";
import { type CaseResult, type NeighbourCase, runCase } from "../neighbours/neighbour_case.ts";
import { type Neighbour, neighbours } from "../neighbours/neighbourhood.ts";
import { type Action, actions } from "../neighbours/prepared_actions.ts";
import { sideBySide } from "../harness/side_by_side.ts";

/** Cases mostly wait for one another's black holes. */
const LANES = 8;

/** Which actions reach the neighbour, and after how many of its replies the fault may begin. */
const REACHED: Readonly<Record<Neighbour, { actions: readonly Action[]; replies: readonly number[] }>> = {
  postgres: { actions, replies: [0, 8, 14, 20, 30] },
  mlflow: { actions: ["register", "promote", "deploy"], replies: [0, 1, 4] },
  redis: { actions: ["deploy", "rollback"], replies: [0, 1] },
  supabase: { actions, replies: [0, 1] },
  router: { actions: ["deploy", "rollback"], replies: [0, 2, 5] },
};

export const neighbourRows: readonly FaultRow[] = neighbours.map((neighbour) => ({
  name: `${neighbour}-faults`,
  fault: `${neighbour} refuses, resets, falls silent, is late, or its replies are lost or cut: the caller is told so in time, and all comes right`,
  run: (options) => runRow(neighbour, options),
}));

async function runRow(neighbour: Neighbour, options: RowOptions): Promise<RowResult> {
  const cases = casesOf(neighbour, options);
  const results = await sideBySide(LANES, cases, async (one) => {
    const result = await runCase(one, options.services);
    options.onProgress(`${labelOf(one)}: ${result.seconds.toFixed(1)} s, ${result.told}`);
    return result;
  });
  const broken = results.flatMap((result, index) => violationsOf(cases[index], result));
  return {
    cases: cases.length,
    converged: results.filter(({ complaints }) => complaints.length === 0).length,
    lost: results.filter(({ answered }) => !answered).length,
    violations: broken,
    notes: notesOf(neighbour, results),
  };
}

function violationsOf(one: NeighbourCase | undefined, { complaints, told }: CaseResult): string[] {
  if (one === undefined) return [];
  return complaints.map((complaint) => `${labelOf(one)}: ${complaint} (told: ${told})`);
}

function notesOf(neighbour: Neighbour, results: readonly CaseResult[]): string[] {
  const slowest = Math.max(...results.map(({ seconds }) => seconds));
  const bitten = results.filter((result) => result.bitten).length;
  return [
    `${neighbour}: the fault met ${bitten} of ${results.length} actions; the slowest answer took ${slowest.toFixed(1)} s of 30 s`,
  ];
}

/** All of them, or each fault with one action and one beginning that the seed draws. */
function casesOf(neighbour: Neighbour, { extent, seed }: RowOptions): NeighbourCase[] {
  const reached = REACHED[neighbour];
  const all = faults.map((fault) =>
    reached.actions.flatMap((action) =>
      reached.replies.flatMap((afterReplies) =>
        durationsOf(fault, extent).map((duration) => ({
          neighbour,
          fault,
          action,
          options: { afterReplies, ...duration },
        })),
      ),
    ),
  );
  if (extent === "whole") return all.flat();
  return all.flatMap((cases, index) =>
    fc.sample(fc.constantFrom(...cases), { seed: seed + index, numRuns: 1 }),
  );
}

/** A reply is lost once, as on a bad line, or each time; a delay stays within what is waited for, or goes beyond it. */
function durationsOf(fault: Fault, extent: RowOptions["extent"]): FaultOptions[] {
  if (fault === "delay")
    return extent === "whole" ? [{ delayMs: 200 }, { delayMs: 2_500 }] : [{ delayMs: 100 }];
  return fault === "reply_lost" || fault === "reply_cut" || fault === "reset" ? [{ times: 1 }, {}] : [{}];
}

function labelOf({ neighbour, fault, action, options }: NeighbourCase): string {
  const { afterReplies = 0, times, delayMs } = options;
  const lasting = times === undefined ? "" : `, ${times} time`;
  const late = delayMs === undefined ? "" : `, ${delayMs} ms`;
  return `${action} with ${neighbour} ${fault}${late}${lasting} after ${afterReplies} replies`;
}
