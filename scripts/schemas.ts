import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { format } from "prettier";
import { z } from "zod";
import { agentFailureSchema } from "../src/agents/base/agent_state.ts";
import { spanSchema } from "../src/agents/base/spans.ts";
import { deploymentManifestSchema, versionRecordSchema } from "../src/agents/model_deployer/domain/answer.ts";
import {
  approvalQuestionSchema,
  contextSchema,
  planViewSchema,
  progressSchema,
  requestStateSchema,
} from "../src/agents/model_deployer/state/state.ts";

/**
 * Writes the JSON Schemas of everything that crosses a border, or with `--check` fails when they are no longer what the
 * code says.
 */
const folder = new URL("../schemas/", import.meta.url);

interface Contract {
  schema: z.ZodType;
  /** A caller's `input`, before defaults and conversions; or the `output` that comes back. */
  io: "input" | "output";
  description: string;
}

const contracts: Record<string, Contract> = {
  request: {
    schema: requestStateSchema,
    io: "input",
    description: "What a caller hands to the agent, or the pipeline leaves in the state.",
  },
  context: { schema: contextSchema, io: "input", description: "The context of a run." },
  deployment_manifest: {
    schema: deploymentManifestSchema,
    io: "output",
    description: "What a deployment answers with; prediction_synthesizer calls its endpoint_url.",
  },
  version_record: {
    schema: versionRecordSchema,
    io: "output",
    description: "What a registration, a promotion and a rollback answer with.",
  },
  plan_view: { schema: planViewSchema, io: "output", description: "A plan as a person reads it." },
  progress: { schema: progressSchema, io: "output", description: "A custom event of a run's stream." },
  approval_question: {
    schema: approvalQuestionSchema,
    io: "output",
    description: "The value of the interrupt that a run waits with for an approval.",
  },
  span: { schema: spanSchema, io: "output", description: "A span as observability_connector reads it." },
  error: {
    schema: agentFailureSchema,
    io: "output",
    description: "A typed error as it travels in the pipeline's state, in `errors`.",
  },
};

const fileOf = (name: string): string => `${name}.schema.json`;

async function generate(): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const [name, { schema, io, description }] of Object.entries(contracts)) {
    const { $schema, ...body } = z.toJSONSchema(schema, { io, unrepresentable: "any" });
    const whole = { $schema, $id: `urn:model-deployer:${name}`, title: name, description, ...body };
    files.set(fileOf(name), await format(JSON.stringify(whole), { parser: "json", printWidth: 110 }));
  }
  return files;
}

async function committed(): Promise<Map<string, string>> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".json"));
  const read = async (name: string): Promise<[string, string]> => [
    name,
    await readFile(new URL(name, folder), "utf8"),
  ];
  return new Map(await Promise.all(names.map(read)));
}

const [wanted, found] = await Promise.all([generate(), committed()]);
const differing = [...new Set([...wanted.keys(), ...found.keys()])]
  .filter((name) => wanted.get(name) !== found.get(name))
  .sort();

if (process.argv.includes("--check")) {
  for (const name of differing) process.stderr.write(`schemas/${name} is not what the code says\n`);
  if (differing.length > 0) {
    process.stderr.write(
      "A contract has changed: run `npm run schemas`, and see docs/contracts.md for what that means to others.\n",
    );
    process.exitCode = 1;
  }
} else {
  for (const name of differing) {
    const text = wanted.get(name);
    await (text === undefined ? rm(new URL(name, folder)) : writeFile(new URL(name, folder), text));
    process.stdout.write(`schemas/${name}\n`);
  }
}
