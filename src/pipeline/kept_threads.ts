import { z } from "zod";
import type { Threads } from "../worker/old_threads.ts";
import { createCheckpoints } from "./checkpoints.ts";

const threadRow = z.array(z.looseObject({ thread_id: z.string() }));

/** Threads in a database of checkpoints; connects for each call, since it is seldom asked. */
export function openThreads(databaseUrl: string): Threads {
  return {
    among: async (threads) => {
      const { createPool } = await import("../database/connection/pool.ts");
      const pool = createPool(databaseUrl, { maximumConnections: 1 });
      try {
        const { rows } = await pool.query(
          "select distinct thread_id from checkpoints where thread_id = any ($1::text[])",
          [threads],
        );
        return threadRow.parse(rows).map(({ thread_id }) => thread_id);
      } finally {
        await pool.end();
      }
    },
    delete: async (thread) => {
      const checkpoints = await createCheckpoints(databaseUrl);
      try {
        await checkpoints.deleteThread(thread);
      } finally {
        await checkpoints.end();
      }
    },
  };
}
