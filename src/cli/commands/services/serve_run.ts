import { once } from "node:events";
import { createApi } from "../../../api/api.ts";
import { readConsoleFiles } from "../../../api/console_files.ts";
import { type ApiServer, listen } from "../../../api/api_server.ts";
import type { ModelDeployer } from "../../../wiring/model_deployer.ts";
import { signInsOf } from "../../../wiring/configured_sign_ins.ts";
import type { Observer } from "../../../wiring/observer.ts";
import { forgetServedAddress, noteServedAddress } from "../../../platform/services/served_address.ts";
import { type ExitCode, exitCodes } from "../../invocation/exit_codes.ts";
import { ownVersion } from "../../own_version.ts";
import type { Invocation } from "../../invocation/invocation.ts";
import { examined } from "../doctor/doctor.ts";
import { tell } from "./attending.ts";
import type { Beside } from "./worker_run.ts";

export interface ListenAt {
  host: string;
  port: number;
}

/** Serves until then, and lets answers under way finish. */
export async function serveAlone(
  invocation: Invocation,
  at: ListenAt,
  until: AbortSignal,
): Promise<ExitCode> {
  const beside = servingBeside(invocation, at);
  return invocation.withDeployer(
    async (deployer) => {
      await beside(deployer, until);
      tell(invocation, { event: "stopped", message: "the API has ended" });
      return exitCodes.done;
    },
    { registryMayFollow: true },
  );
}

/** Serves the API of a deployer until the signal; `onServing` is called with its address. */
export function servingBeside(
  invocation: Invocation,
  at: ListenAt,
  onServing: (url: string) => Promise<void> = async () => undefined,
): Beside {
  return (deployer, signal) =>
    invocation.withObserver(async (observer) => {
      const server = await serve(invocation, { deployer, observer }, at);
      const { home } = await invocation.configuration();
      await noteServedAddress(home, server.url);
      await onServing(server.url);
      if (!signal.aborted) await once(signal, "abort");
      await forgetServedAddress(home, server.url);
      await server.close();
    });
}

/** Begins to serve and prints the address. @throws ServiceRefusedError when the port is taken */
async function serve(
  invocation: Invocation,
  { deployer, observer }: { deployer: ModelDeployer; observer: Observer },
  at: ListenAt,
): Promise<ApiServer> {
  const configuration = await invocation.configuration();
  const api = createApi({
    deployer,
    signIns: signInsOf(configuration, deployer.secrets),
    examine: () => examined(invocation),
    publicUrl: configuration.notifications.consoleUrl,
    statusSource: observer,
    version: ownVersion(),
    console: await readConsoleFiles(),
    onUnexpected: (error) => {
      invocation.terminal.err((paint) => [
        paint.red(error instanceof Error ? (error.stack ?? error.message) : String(error)),
      ]);
    },
  });
  const server = await listen(api, at);
  tell(invocation, {
    event: "serving",
    message: `the API and the console answer at ${server.url}`,
    url: server.url,
  });
  return server;
}
