import { TestClock } from "../../../src/testing/clock.ts";
import { describeDatabase } from "../../../src/testing/contracts/database_contract.ts";
import { createInMemoryDatabase } from "../../../src/testing/in_memory/database/in_memory_database.ts";

describeDatabase("in memory", async (installation) => {
  const clock = new TestClock();
  const db = await createInMemoryDatabase({ clock, installation, holder: "process-a" });
  return {
    db,
    another: (holder) => db.asProcess(holder),
    passTime: async (by) => {
      clock.turn(by);
    },
  };
});
