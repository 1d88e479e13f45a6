import { MemorySaver } from "@langchain/langgraph";
import { z } from "zod";
import { AgentError } from "../../../src/agents/base/agent_error.ts";
import {
  createModelDeployerGraph,
  type ModelDeployerGraph,
} from "../../../src/agents/model_deployer/graph.ts";
import { createPipelineGraph, type PipelineGraph } from "../../../src/pipeline/pipeline_graph.ts";
import { type GivenDeployer, liveThread } from "../../support/deployer.ts";
import {
  build,
  type Malformed,
  malformedStates,
  type MalformedInput,
} from "../../support/requests/malformed_requests.ts";
import { checkProperty, hold } from "../harness/checked_property.ts";
import type { FaultRow } from "../harness/fault_row.ts";
import { openScratchDeployer } from "../harness/scratch.ts";

const NAME = "malformed-requests";
const RUNS = { selection: 1_500, whole: 12_000 };
const LONGEST_MESSAGE = 2_000;
const GRAPH_LASTS = 50;
/** A message says what would have been right, or what to do. */
const WAY_OUT =
  /expected|must|one of|at most|more than|at least|remove|hand over|letters|address|such as|run id|whole number|without|unrecognized|too small|too big/i;

export const malformedRequestsRow: FaultRow = {
  name: NAME,
  fault:
    "Requests that are spoilt in every way are handed to the agent, to its node, to its graph and to the pipeline's: each is refused typed, with the wrong value and the way out, no call leaves the process and no row is written.",
  run: async (options) => {
    const scratch = await openScratchDeployer(options.services);
    const { given } = scratch;
    try {
      const asked = new Asked(given);
      const rowsOf = await rowCounter(given);
      const before = await rowsOf();
      const checked = await checkProperty(
        {
          row: NAME,
          arbitrary: malformedStates,
          runs: RUNS[options.extent],
          shown: (malformed) => JSON.stringify(malformed).slice(0, 300),
          predicate: async (malformed) => {
            for (const way of waysOf(malformed)) await refuse(asked, way, build(malformed));
            hold(given.wire.calls.length === 0, () => `it called ${given.wire.calls.splice(0).join(", ")}`);
            const rows = await rowsOf();
            hold(rows === before, () => `the database held ${before} rows and holds ${rows}`);
          },
        },
        options,
      );
      return {
        ...checked,
        lost: 0,
        notes: [`${checked.cases} malformed requests, each by every way that takes it`],
      };
    } finally {
      await scratch.close();
    }
  },
};

type Way = "execute" | "node" | "graph" | "pipeline";

/**
 * A pipeline's state may hold other agents' fields, and nothing at all goes on with a thread. What the agents share is
 * none of the request, and the graphs refuse it, the pipeline's too, which else goes on with the truth.
 */
function waysOf({ spoiling }: Malformed): readonly Way[] {
  switch (spoiling.kind) {
    case "unknown field":
      return ["execute"];
    case "shared field":
      return ["graph", "pipeline"];
    case "raising accessor":
      return ["execute", "node", "graph", "pipeline"];
    case "no object": {
      const isNothing = ["null", "undefined"].includes(spoiling.value);
      return isNothing ? ["execute", "node"] : ["execute", "node", "graph", "pipeline"];
    }
    default:
      return ["execute", "node", "graph"];
  }
}

async function refuse(asked: Asked, way: Way, { input, told }: MalformedInput): Promise<void> {
  const { code, message } = await asked.refusalOf(way, input);
  hold(["invalid_request", "invalid_deployment_action"].includes(code), () => `${way}: ${code}: ${message}`);
  for (const part of told) hold(message.includes(part), () => `${way}: ${message} does not say ${part}`);
  hold(WAY_OUT.test(message), () => `${way}: ${message} names no way out`);
  hold(message.length < LONGEST_MESSAGE, () => `${way}: a message of ${message.length} characters`);
}

const failedUpdate = z.object({
  status: z.literal("failed"),
  errors: z.tuple([z.object({ code: z.string(), message: z.string() })]),
});

/** The agent as it stands before callers who are not held to its types. */
class Asked {
  readonly #given: GivenDeployer;
  readonly #pipeline: PipelineGraph;
  #graph: ModelDeployerGraph;
  #asked = 0;

  constructor(given: GivenDeployer) {
    this.#given = given;
    this.#graph = this.#newGraph();
    this.#pipeline = createPipelineGraph(given.agent);
  }

  async refusalOf(way: Way, input: unknown): Promise<{ code: string; message: string }> {
    try {
      const answer: unknown = await this.#ask(way, input);
      return way === "node"
        ? failedUpdate.parse(answer).errors[0]
        : { code: "nothing", message: "it was taken" };
    } catch (error) {
      if (error instanceof AgentError) return error;
      const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      return { code: "untyped", message };
    }
  }

  #ask(way: Way, input: unknown): unknown {
    const { agent } = this.#given;
    switch (way) {
      case "execute":
        return call(agent, "execute", [input]);
      case "node":
        return Reflect.apply(agent.asNode(), undefined, [input, {}]);
      case "graph":
        this.#asked += 1;
        if (this.#asked % GRAPH_LASTS === 0) this.#graph = this.#newGraph();
        return call(this.#graph, "invoke", [input, liveThread()]);
      case "pipeline":
        return call(this.#pipeline, "invoke", [input, { context: { effects: "live" } }]);
    }
  }

  /** Its checkpoints keep all that it was ever handed. */
  #newGraph(): ModelDeployerGraph {
    return createModelDeployerGraph(this.#given.capabilities, { checkpointer: new MemorySaver() });
  }
}

function call(target: object, method: string, values: unknown[]): unknown {
  const found: unknown = Reflect.get(target, method);
  return typeof found === "function" ? Reflect.apply(found, target, values) : undefined;
}

const countRow = z.tuple([z.object({ rows: z.coerce.number() })]);
const tableRows = z.array(z.object({ name: z.string() }));

async function rowCounter({ world }: GivenDeployer): Promise<() => Promise<number>> {
  const tables = await world.sql(
    "select tablename as name from pg_tables where schemaname = current_schema() and tablename like 'ml\\_%'",
  );
  const counts = tableRows.parse(tables).map(({ name }) => `(select count(*) from ${name})`);
  return async () => countRow.parse(await world.sql(`select ${counts.join(" + ")} as rows`))[0].rows;
}
