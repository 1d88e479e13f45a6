import { expect, test } from "vitest";
import { newTally } from "../walk/tally.ts";
import { tableOf, takeWalks } from "../walk/walk.ts";
import { beginAt, createBeginnings } from "../walk/world.ts";

const SEQUENCES = 100;
/** What was seen in one part need not be looked at again in the next. */
const tally = newTally();
const beginnings = createBeginnings();

test.for([1, 2, 3, 4, 5])(
  "on random ways every refusal's hints go on, none leads in a circle, and `retryable` holds what it promises: part %i of 5",
  async (part) => {
    let group = part;
    await takeWalks(tally, {
      sequences: SEQUENCES,
      seed: 100 + part,
      together: 25,
      longest: 6,
      longest_end: 2,
      pursued: 1,
      begin: async () => beginAt(await beginnings, group++),
    });
    const { dead_ends, circles, broken_promises, checked_hints } = tally;
    expect({ dead_ends, circles, broken_promises }, tableOf(tally).join("\n")).toEqual({
      dead_ends: [],
      circles: [],
      broken_promises: [],
    });
    expect(checked_hints).toBeGreaterThan(10);
  },
);
