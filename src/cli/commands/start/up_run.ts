import { callExample } from "../../example/example_callers.ts";
import { DEMO_APPROVER, enrolDemoPeople } from "../../example/people.ts";
import { EXAMPLE_EXPERIMENT } from "../../example/trained_example.ts";
import { endpointName } from "../../../agents/model_deployer/domain/values/names.ts";
import { stopLocalServices } from "../../../platform/services/local_services.ts";
import type { ModelDeployer } from "../../../wiring/model_deployer.ts";
import type { ExitCode } from "../../invocation/exit_codes.ts";
import { nextLines } from "../../output/next_lines.ts";
import type { Invocation } from "../../invocation/invocation.ts";
import type { Served } from "../services/attending.ts";
import { type ListenAt, servingBeside } from "../services/serve_run.ts";
import { runWorker } from "../services/worker_run.ts";

/** A worker with all that it needs; what this call has started ends with it, and what serves answers on. */
export async function runUp(
  invocation: Invocation,
  { idleMs, at, served }: { idleMs: number; at: ListenAt; served: Served },
): Promise<ExitCode> {
  const { home, installation } = await invocation.configuration();
  const code = await runWorker(invocation, { idleMs, until: served.until }, async (deployer, signal) => {
    const isDemo = installation === "demo";
    if (isDemo) await enrolDemoPeople({ home, installation }, deployer.database);
    const serving = servingBeside(invocation, at, (url) => tellAddresses(invocation, deployer, url));
    await Promise.all([
      serving(deployer, signal),
      ...(isDemo ? [callExample({ home, endpointUrl: () => exampleUrl(deployer), signal })] : []),
    ]);
  });
  const begun = invocation.begun.splice(0);
  if (begun.length > 0 && !served.isBroughtDown()) {
    await invocation.terminal.withProgress(`stopping ${begun.join(", ")}`, () =>
      stopLocalServices(home, begun),
    );
  }
  return code;
}

async function exampleUrl({ database }: ModelDeployer): Promise<string | null> {
  const found = await database.endpoints.get(endpointName(EXAMPLE_EXPERIMENT.experiment_id, "production"));
  return found?.endpoint_url ?? null;
}

async function tellAddresses(
  invocation: Invocation,
  { addresses, database }: ModelDeployer,
  url: string,
): Promise<void> {
  const { terminal } = invocation;
  const isDemo = (await invocation.configuration()).installation === "demo";
  const [experiments, endpoints] = await Promise.all([
    database.overview.experiments(),
    database.endpoints.list(),
  ]);
  const started = { event: "up", url, mlflow_url: addresses.mlflowUrl, endpoints: endpoints.length };
  if (terminal.json) {
    terminal.out([JSON.stringify({ at: new Date().toISOString(), level: "info", ...started })]);
    return;
  }
  terminal.out([
    terminal.paint.green("up") + (isDemo ? terminal.paint.yellow("  a demo installation") : ""),
    `  console   ${url}/`,
    `  MLflow    ${addresses.mlflowUrl}`,
    ...(addresses.mlflowAuth === null
      ? []
      : [terminal.paint.dim("            `model-deployer env` prints its user and password")]),
    ...endpoints.map((one) => `  endpoint  ${one.endpoint_url}  ${one.endpoint_name}`),
    terminal.paint.dim("  `model-deployer console` prints the console's address with a sign-in in it"),
    ...(isDemo
      ? [terminal.paint.dim(`  ${DEMO_APPROVER} may approve; the commands name the token's file`)]
      : []),
    ...nextLines([nextStep(isDemo, experiments.length, endpoints.length)], terminal.paint),
    terminal.paint.dim("in another terminal; Ctrl-C here ends the worker and what it has started"),
  ]);
}

function nextStep(isDemo: boolean, experiments: number, endpoints: number): readonly [string, string] {
  if (endpoints > 0) return ["model-deployer status --watch", "traffic, figures and verdicts"];
  if (isDemo) return ["model-deployer example", "trains a small model family to try all with"];
  if (experiments > 0) return ["model-deployer release <experiment> <run>", "brings a run to production"];
  return [
    "model-deployer experiments create <experiment> --name <text> --target <name> --minimum-auc 0.8",
    "says what production asks for",
  ];
}
