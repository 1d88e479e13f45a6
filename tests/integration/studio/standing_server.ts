import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { Deployment } from "../../../src/agents/model_deployer/domain/entities.ts";
import { findFreePort } from "../../../src/platform/free_port.ts";
import { ServerRecords } from "../../../src/mlops/bentoml/servers/server_record.ts";
import {
  childEnvironment,
  startProcess,
  stopProcess,
} from "../../../src/platform/processes/managed_process.ts";

/** Says what a server of BentoML says of itself before it has a sample to predict. */
const script = `
  const { TAG: bento_tag, DEPLOYMENT: deployment_id, PORT } = process.env;
  const predictions = { threads: 8, under_way: 0, waiting: 0, hung: 0, oldest_seconds: 0 };
  const answers = {
    "/health": { bento_tag, deployment_id, ready: true, predictions },
    "/sample": { sample: null, source: null },
  };
  require("node:http").createServer(({ url }, answer) => {
    answer.writeHead(url in answers ? 200 : 404).end(JSON.stringify(answers[url] ?? {}));
  }).listen(Number(PORT), "127.0.0.1");
`;

/** Whoever observes the deployment in `home` finds a server that is ready; it makes no predictions, and ends with the test. */
export async function standsIn(
  home: string,
  { deployment_id, bento_tag }: Pick<Deployment, "deployment_id" | "bento_tag">,
): Promise<void> {
  const runDirectory = join(home, "run");
  const port = await findFreePort();
  const started_at = new Date().toISOString();
  const name = `bento-${deployment_id}`;
  onTestFinished(() => stopProcess(runDirectory, name, { graceMs: 1_000, leaderSignal: "SIGTERM" }));
  await startProcess({
    name,
    runDirectory,
    command: process.execPath,
    args: ["-e", script],
    env: childEnvironment({ TAG: bento_tag, DEPLOYMENT: deployment_id, PORT: String(port) }),
  });
  await new ServerRecords(join(runDirectory, "servers")).claim({
    deployment_id,
    process: deployment_id,
    bento_tag,
    port,
    started_at,
  });
}
