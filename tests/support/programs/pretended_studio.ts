import { spawn } from "node:child_process";
import { createServer } from "node:http";
import { serviceRunDirectory } from "../../../src/platform/services/local_service.ts";
import { startProcess } from "../../../src/platform/processes/managed_process.ts";

/** Does what a development server does that matters to whoever ends it: it listens, has a child, and starts a service. */
const port = Number(process.argv.at(-1));
const home = process.env["MODEL_DEPLOYER_HOME"] ?? "";
spawn(process.execPath, ["-e", "setInterval(() => undefined, 1000)"], { stdio: "ignore" });
await startProcess({
  name: "redis",
  runDirectory: serviceRunDirectory(home),
  command: process.execPath,
  args: ["-e", "setInterval(() => undefined, 1000)"],
  env: {},
});
createServer((_request, response) => response.end("studio")).listen(port, "localhost", () => {
  process.stdout.write(`listening on ${port}\n`);
});
