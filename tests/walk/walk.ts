import fc from "fast-check";
import type { Nothing, Walk } from "./command.ts";
import { commands } from "./commands.ts";
import { checkReach } from "./pursuit.ts";
import type { Tally } from "./tally.ts";
import type { Walker } from "./world.ts";

export interface WalkOptions {
  sequences: number;
  seed: number;
  /** Sequences in groups have the same first commands, which are carried out once. */
  together?: number;
  /** At most so many first commands. */
  longest: number;
  /** At most so many commands after them, which each sequence has for itself. */
  longest_end?: number;
  /** A walker at the beginning of its way; each group has its own. */
  begin: () => Promise<Walker>;
  /** Seconds after which no further group begins; until all are taken unless told. */
  seconds?: number;
  /** How many of the three runs are pursued from a state; the others have their turn from other states. */
  pursued?: number;
  onSequence?: (tally: Tally) => void;
}

/** Takes so many random ways through the deployer and counts what was found on them. */
export async function takeWalks(tally: Tally, options: WalkOptions): Promise<void> {
  const { sequences, seed, longest, seconds = Infinity, together = 1, longest_end = 3 } = options;
  const first = fc.commands(commands, { maxCommands: longest, size: "max" });
  const last = fc.array(fc.oneof(...commands), { minLength: 1, maxLength: longest_end });
  const group = fc.array(last, { minLength: together, maxLength: together, size: "max" });
  const property = fc.asyncProperty(first, group, async (beginning, ends) => {
    const walker = await options.begin();
    tally.under_way = fc.stringify(beginning);
    await fc.asyncModelRun(setupOf({ walker, tally }), beginning);
    for (const end of ends) {
      tally.under_way = `${fc.stringify(beginning)}, then ${end.join(", ")}`;
      const own = walker.copy === undefined ? walker : await walker.copy();
      await fc.asyncModelRun(setupOf({ walker: own, tally }), end);
      await checkReach(own, tally, options.pursued ?? 3);
      tally.sequences += 1;
      options.onSequence?.(tally);
    }
  });
  const limit = seconds === Infinity ? {} : { interruptAfterTimeLimit: seconds * 1000 };
  const numRuns = Math.ceil(sequences / together);
  await fc.assert(property, { numRuns, seed, endOnFailure: true, ...limit });
}

const setupOf = (walk: Walk) => () => ({ model: {} satisfies Nothing, real: walk });

/** The table of what a walk has found. */
export function tableOf(tally: Tally): string[] {
  const codes = [...tally.refusals]
    .toSorted(([, a], [, b]) => b - a)
    .map(([code, count]) => `${code} ${count}`);
  return [
    `sequences            ${tally.sequences}`,
    `requests             ${tally.requests}`,
    `states seen          ${tally.states.size}`,
    `refusals by code     ${codes.join(", ")}`,
    `hints carried out    ${tally.checked_hints}`,
    `longest way          ${tally.longest_way} requests`,
    `dead ends            ${tally.dead_ends.length}`,
    `circles              ${tally.circles.length}`,
    `promises broken      ${tally.broken_promises.length}`,
  ];
}
