import { setTimeout as delay } from "node:timers/promises";
import { anotherProcess, deployerIn, type GivenDeployer } from "../../support/deployer.ts";
import { createKillablePostgres, type KillablePostgres } from "../../support/services/killable_postgres.ts";
import { pollUntil } from "../../../src/testing/poll.ts";
import { openWorld } from "../../support/world.ts";
import type { FaultRow, RowOptions, RowResult } from "../harness/fault_row.ts";
import { Life, type Tally } from "../restarts/life.ts";
import { violationsOfGiven } from "../harness/scratch.ts";
import { sideBySide } from "../harness/side_by_side.ts";

/** At 15 actions a life, 5,025 in the whole row. */
const LIVES = { selection: 4, whole: 335 };
/** Between two ends of the server. */
const UP_MS = { selection: 1_000, whole: 4_000 };
const PROCESSES = 4;
const LIVES_AT_ONCE = 16;
const LEASE_SECONDS = 2;
const SETTLED_MS = 120_000;

/** A Postgres of the row's own is killed again and again under processes that go on asking. */
export const postgresRestarts: FaultRow = {
  name: "postgres-restarts",
  fault:
    "Postgres is killed every few seconds under at least 5,000 actions: each is answered in the end, once",
  run: async (options) => {
    const postgres = await createKillablePostgres();
    try {
      await postgres.start();
      return await runOn(postgres, options);
    } finally {
      await postgres.remove();
    }
  },
};

async function runOn(postgres: KillablePostgres, { extent, onProgress }: RowOptions): Promise<RowResult> {
  const world = await openWorld(postgres.url);
  try {
    const given = await deployerIn(world, { settings: { lease_seconds: LEASE_SECONDS } });
    const tally: Tally = { actions: 0, repeated: 0, lost: [], strange: [] };
    const ended = new AbortController();
    const [restarts] = await Promise.all([
      restart(postgres, UP_MS[extent], ended.signal),
      anotherProcess(given).worker.run({ signal: ended.signal, idleMs: 250 }),
      live(given, LIVES[extent], tally, onProgress).finally(() => {
        ended.abort();
      }),
    ]);
    await untilNothingIsLeft(given);
    const violations = [...tally.strange, ...(await violationsOfGiven(given))];
    return {
      cases: tally.actions,
      converged: tally.actions - tally.lost.length,
      lost: tally.lost.length,
      violations: [...violations, ...tally.lost],
      notes: [
        `Postgres was killed ${restarts} times under ${tally.actions} actions; ${tally.repeated} tries were repeated`,
      ],
    };
  } finally {
    await world.close();
  }
}

async function live(
  given: GivenDeployer,
  lives: number,
  tally: Tally,
  onProgress: RowOptions["onProgress"],
): Promise<void> {
  const settings = { lease_seconds: LEASE_SECONDS };
  const processes = Array.from({ length: PROCESSES }, () => anotherProcess(given, settings));
  const names = Array.from({ length: lives }, (_, index) => `life${index}`);
  await sideBySide(LIVES_AT_ONCE, names, async (name) => {
    const index = names.indexOf(name);
    await new Life(processes[index % PROCESSES] ?? given, name, tally).live();
    if (index % 25 === 24) onProgress(`${tally.actions} actions, ${tally.repeated} tries repeated`);
  });
}

/** @returns how often it was killed */
async function restart(postgres: KillablePostgres, upMs: number, signal: AbortSignal): Promise<number> {
  for (let kills = 0; ; kills += 1) {
    await delay(upMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return kills;
    await postgres.kill();
    await postgres.start();
  }
}

const DUE = "update ml_outbox set next_attempt_at = clock_timestamp() where delivered_at is null";
const LEFT = `select (select count(*) from ml_outbox where delivered_at is null)
  + (select count(*) from ml_operations where status in ('planned', 'carrying_out')) as count`;

async function untilNothingIsLeft({ world, worker }: GivenDeployer): Promise<void> {
  await pollUntil(
    async () => {
      await world.sql(DUE);
      await worker.tick();
      return Number((await world.sql(LEFT))[0]?.["count"]) === 0;
    },
    { deadlineMs: SETTLED_MS, what: "end of what was left to do" },
  );
}
