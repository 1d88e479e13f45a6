import type { Parts } from "../../../src/agents/model_deployer/ports/parts.ts";
import type { ModelDeployerAnswer } from "../../../src/agents/model_deployer/state/state.ts";
import { type GivenDeployer, SESSION } from "../../support/deployer.ts";
import type { Fault, FaultOptions } from "../harness/fault_proxy.ts";
import type { RowOptions } from "../harness/fault_row.ts";
import { openScratchDeployer } from "../harness/scratch.ts";
import { violationsOf } from "../invariants/invariants.ts";
import { ListeningModelServer } from "./listening_server.ts";
import { type Neighbour, type Neighbourhood, openNeighbourhood } from "./neighbourhood.ts";
import { prepare, runsInMemory } from "./prepared_actions.ts";
import { processWith } from "./process_with.ts";

/** What befalls each neighbour; those that are not named answer. */
export type Lacking = Partial<Record<Neighbour, [Fault, FaultOptions]>>;

export interface PreparedRollback {
  given: GivenDeployer;
  ask: () => Promise<ModelDeployerAnswer>;
  /** The neighbours answer again. */
  mend: () => Promise<void>;
}

/**
 * Prepares a rollback of a deployer whose traffic goes through a real router, and lets it be asked for while neighbours
 * lack. What is theirs is caught up afterwards, through the parts in memory, and then nothing may be amiss.
 */
export async function lackingRollback<T>(
  { services }: RowOptions,
  lacks: Lacking,
  work: (prepared: PreparedRollback) => Promise<T>,
): Promise<{ came: T; violations: string[] }> {
  const scratch = await openScratchDeployer(services);
  const { given } = scratch;
  const opened: Neighbourhood[] = [];
  const server = new ListeningModelServer(given.server);
  try {
    const { request } = await prepare(
      "rollback",
      { ...given, ...processWith(given, { server }) },
      runsInMemory,
    );
    const router = await openNeighbourhood.router(given, services);
    opened.push(router);
    const own: Partial<Parts> = { server, ...router.direct };
    const lacking: Neighbourhood[] = [];
    for (const neighbour of ["postgres", "mlflow", "redis", "supabase"] as const) {
      const fault = lacks[neighbour];
      if (fault === undefined) continue;
      const one = await openNeighbourhood[neighbour](given, services);
      opened.push(one);
      lacking.push(one);
      await one.proxy.set(...fault);
    }
    const exposed = lacking.reduce<Partial<Parts>>((parts, one) => ({ ...parts, ...one.exposed }), own);
    const came = await work({
      given,
      ask: () => processWith(given, exposed).agent.execute({ ...request, session_id: SESSION }),
      mend: async () => {
        for (const { proxy } of lacking) await proxy.mend();
      },
    });
    await given.world.sql(
      "update ml_outbox set next_attempt_at = clock_timestamp() where delivered_at is null",
    );
    await processWith(given, own).worker.tick();
    const { world, registry } = given;
    const seen = { sql: world.sql, router: given.router, server, registry, ...router.observed };
    return { came, violations: await violationsOf(seen) };
  } finally {
    for (const one of opened) await one.close();
    server.close();
    await scratch.close();
  }
}
