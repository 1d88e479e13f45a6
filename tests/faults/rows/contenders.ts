import { AgentError } from "../../../src/agents/base/agent_error.ts";
import { anotherProcess, type GivenDeployer, promote, register } from "../../support/deployer.ts";
import type { FaultRow, RowOptions, RowResult } from "../harness/fault_row.ts";
import { openScratchDeployer } from "../harness/scratch.ts";

const RUNS = ["run1", "run2", "run3", "run4"];
const ROUNDS = { selection: 1, whole: 10 };
const COUNTS = { selection: [2, 8], whole: [2, 3, 4, 5, 6, 7, 8] };

interface Outcome {
  won: boolean;
  error: AgentError | null;
}

/** Several processes, each with connections and a holder's name of its own, want another version on one endpoint. */
export const contenders: FaultRow = {
  name: "contenders",
  fault: "2 to 8 agents want one endpoint at once: one wins, the others are told who holds it and since when",
  run: async (options) => {
    const violations: string[] = [];
    let cases = 0;
    let converged = 0;
    for (let round = 0; round < ROUNDS[options.extent]; round += 1) {
      for (const count of COUNTS[options.extent]) {
        const found = await runCase(count, options);
        cases += 1;
        if (found.length === 0) converged += 1;
        violations.push(...found.map((one) => `${count} agents, round ${round}: ${one}`));
      }
    }
    return { cases, converged, lost: 0, violations, notes: [] } satisfies RowResult;
  },
};

async function runCase(count: number, { services }: RowOptions): Promise<string[]> {
  const scratch = await openScratchDeployer(services);
  const { given } = scratch;
  try {
    const versions: string[] = [];
    for (const run of RUNS) {
      const version = await register(given, run);
      await promote(given, version, "staging");
      versions.push(version);
    }
    const agents = Array.from({ length: count }, () => anotherProcess(given));
    const held = await whileOneIsHeld(agents, versions);
    await given.worker.tick();
    // Nobody is held back now: whoever is first wins, and nothing else can be said beforehand.
    const free = await Promise.all(
      agents.map((agent, index) => outcomeOf(agent, versions[(index + 1) % 4] ?? "")),
    );
    await given.worker.tick();
    const untyped = free.filter(({ won, error }) => !won && error?.code !== "conflict");
    return [
      ...held,
      ...untyped.map(({ error }) => `an agent lost to ${String(error?.code)}: ${String(error?.message)}`),
      ...(free.some(({ won }) => won) ? [] : ["of agents that all began at once, none won"]),
      ...(await scratch.violations()),
    ];
  } finally {
    await scratch.close();
  }
}

/** The first one stands before the router with the lease in its hands while all the others try. */
async function whileOneIsHeld(agents: GivenDeployer[], versions: string[]): Promise<string[]> {
  const [first, ...others] = agents;
  if (first === undefined) return [];
  const hold = first.wire.hold("router.apply");
  const winning = outcomeOf(first, versions[0] ?? "");
  await hold.reached;
  const losers = await Promise.all(
    others.map((agent, index) => outcomeOf(agent, versions[(index + 1) % 4] ?? "")),
  );
  const holder = await holderOf(first);
  hold.release();
  const winner = await winning;
  const found = winner.won ? [] : [`the holder lost: ${String(winner.error?.message)}`];
  for (const { won, error } of losers) {
    if (won) found.push("a second agent won while the first one held the endpoint");
    else if (error?.code !== "conflict")
      found.push(`a loser is told ${String(error?.code)}: ${String(error?.message)}`);
    else if (!error.message.includes(`${holder.name} holds it since ${holder.since}`))
      found.push(`a loser is not told that ${holder.name} holds it since ${holder.since}: ${error.message}`);
  }
  return found;
}

async function holderOf({ world }: GivenDeployer): Promise<{ name: string; since: string }> {
  const [row] = await world.sql(
    `select holder, to_char(acquired_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US') as since
     from ml_leases where name = 'e2i_remission_staging'`,
  );
  return { name: String(row?.["holder"]), since: String(row?.["since"]).replace(/0+$/, "") };
}

async function outcomeOf(agent: GivenDeployer, version: string): Promise<Outcome> {
  const request = {
    deployment_action: "deploy",
    model_version_id: version,
    target_stage: "staging" as const,
  };
  try {
    await agent.agent.execute(request);
    return { won: true, error: null };
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    return { won: false, error };
  }
}
