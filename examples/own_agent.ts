import assert from "node:assert/strict";
import { type AgentRun, type AgentUpdate, BaseAgent } from "model-deployer";
import type { EpisodicMemory } from "model-deployer/ports";
import { createTestDeployer, ENDPOINT, inProduction } from "model-deployer/testing";

interface Watched {
  endpoint_name: string;
}
interface Report extends AgentUpdate {
  recent_events: string[];
}
interface Memory {
  episodic: Pick<EpisodicMemory, "recent">;
}

class DriftMonitor extends BaseAgent<Watched, Report, Memory> {
  readonly agent_name = "drift_monitor";
  readonly tier = 3;
  readonly tier_name = "monitoring";
  readonly agent_type = "standard";
  readonly sla_seconds = 10;

  protected pick(state: Record<string, unknown>): Watched {
    return { endpoint_name: String(state["endpoint_name"]) };
  }

  protected async run({ endpoint_name }: Watched, { memory }: AgentRun<Memory>): Promise<Report> {
    const without = "does not tell what happened to the endpoint";
    const episodes = await memory.use("episodic_memory", without, ({ episodic }, options) =>
      episodic.recent({ endpoint_name, limit: 5 }, options),
    );
    return { status: "completed", recent_events: episodes?.map((one) => one.description) ?? [] };
  }
}

const deployer = await createTestDeployer();
await inProduction(deployer, "run1");
const monitor = new DriftMonitor({ episodic: deployer.episodicMemory });

const { recent_events } = await monitor.execute({ endpoint_name: ENDPOINT });
assert.match(recent_events[0] ?? "", /production/);

deployer.episodicMemory.down();
const update = await monitor.asNode()({ endpoint_name: ENDPOINT }, {});
assert.equal(update.status, "completed");
console.log(update.warnings?.join("\n"));
