import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

/** Answers each prediction after some milliseconds, and says when the first one comes. */
const program = `
  let isAsked = false;
  const answer = (incoming, outgoing) => {
    incoming.resume();
    const isPrediction = incoming.url !== "/readyz";
    if (isPrediction && !isAsked) process.send("asked");
    isAsked ||= isPrediction;
    setTimeout(() => outgoing.end("{}"), isPrediction ? Number(process.argv[1]) : 0);
  };
  const server = require("node:http").createServer({ keepAliveTimeout: 75000 }, answer);
  server.listen(0, "127.0.0.1", () => process.send(server.address().port));
  process.on("disconnect", () => process.exit());
`;

/** A server in a process of its own, which can be killed with requests in its hands. */
export class ServerProcess {
  readonly port: number;
  readonly #child: ChildProcess;
  isAsked = false;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
    child.once("message", () => {
      this.isAsked = true;
    });
  }

  static async start(modelMs: number): Promise<ServerProcess> {
    const child = spawn(process.execPath, ["-e", program, String(modelMs)], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    const port = await new Promise<number>((resolve) =>
      child.once("message", (bound) => resolve(Number(bound))),
    );
    return new ServerProcess(child, port);
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  async end(): Promise<void> {
    this.kill();
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, "exit");
  }
}
