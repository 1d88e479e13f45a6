import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { InvalidRequestError } from "../../../agents/model_deployer/errors.ts";
import type { Callers } from "../../example/example_callers.ts";
import type { ModelDeployer } from "../../../wiring/model_deployer.ts";
import type { Execute } from "../../invocation/execute.ts";
import { nextLines } from "../../output/next_lines.ts";
import { type ExampleReport, exampleReportSchema } from "../../output/start_schemas.ts";
import { table } from "../../output/terminal/table.ts";
import type { Paint } from "../../output/terminal/terminal.ts";
import type { Invocation } from "../../invocation/invocation.ts";
import { report, type Report } from "../../invocation/command_report.ts";

export function addExample(program: CommandUnknownOpts, execute: Execute): void {
  program
    .command("example")
    .description("train an example model family and open its experiment; in a demo installation alone")
    .option("--callers <what>", "what its callers send while `up` runs: usual, larger or none")
    .action(({ callers }) => execute("example", (invocation) => example(invocation, callers)));
}

async function example(invocation: Invocation, asked: string | undefined): Promise<Report> {
  const { home } = await invocation.configuration();
  const { callersSchema, readCallers, setCallers } = await import("../../example/example_callers.ts");
  const callers = callersSchema.optional().safeParse(asked);
  if (!callers.success)
    throw new InvalidRequestError(`--callers ${asked ?? ""}: name usual, larger or none.`);
  return invocation.withDeployer(async (deployer) => {
    if ((await deployer.database.overview.installation()) !== "demo") {
      throw new InvalidRequestError(
        "The example belongs into a demo installation, and this is a standard one; `model-deployer init --demo` makes one in another folder.",
      );
    }
    if (callers.data !== undefined) await setCallers(home, callers.data);
    return prepared(invocation, deployer, await readCallers(home));
  });
}

async function prepared(invocation: Invocation, deployer: ModelDeployer, callers: Callers): Promise<Report> {
  const { home, cache, limits } = await invocation.configuration();
  const { EXAMPLE_EXPERIMENT, EXAMPLE_POLICY, trainExample } =
    await import("../../example/trained_example.ts");
  const { ensureToolsEnvironment } = await import("../../../platform/python/python_environment.ts");
  const { experiments } = deployer.database;
  const trained = await invocation.terminal.withProgress("preparing the example", async (tell) => {
    const tools = await ensureToolsEnvironment({
      cacheDirectory: cache,
      limitSeconds: limits.environmentSeconds,
      onProgress: tell,
    });
    const mlflow = deployer.addresses;
    return trainExample({ home, cache, tools, mlflow, tell, signal: invocation.signal });
  });
  const { experiment_id } = EXAMPLE_EXPERIMENT;
  if ((await experiments.get(experiment_id)) === null) {
    await experiments.create(EXAMPLE_EXPERIMENT, "example");
    await experiments.setGatePolicy(experiment_id, EXAMPLE_POLICY, "example");
  }
  return report(exampleReportSchema, { experiment_id, runs: trained.runs, callers }, exampleLines);
}

const STEPS = "--steps 10:20,30:20,60:20,100:0";

function exampleLines({ experiment_id, runs, callers }: ExampleReport, paint: Paint): string[] {
  const rows = runs.map(({ name, run_id, metrics }) => [
    name,
    run_id,
    ...["roc_auc", "precision_at_k", "fpr"].map((metric) => metrics[metric]?.toFixed(3) ?? ""),
  ]);
  const [first, second, third] = runs.map(({ run_id }) => run_id);
  const release = `model-deployer release ${experiment_id}`;
  return [
    `Experiment ${paint.bold(experiment_id)} is open, with three runs in MLflow; its callers send ${callers === "none" ? "nothing" : `${callers} cases`} while \`up\` runs.`,
    ...table(["run", "id", "auc", "precision at k", "fpr"], rows, paint).map((line) => `  ${line}`),
    ...nextLines([[`${release} ${first}`, "brings the first one to production"]], paint),
    paint.dim(`later: ${release} ${second} ${STEPS}`),
    paint.dim(
      `       ${release} ${third} ${STEPS}, then \`model-deployer example --callers larger\`: it goes back`,
    ),
  ];
}
