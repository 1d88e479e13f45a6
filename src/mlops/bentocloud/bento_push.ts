import { EndpointCreationError, ServiceUnavailableError } from "../../agents/model_deployer/errors.ts";
import type { CallOptions } from "../../agents/model_deployer/ports/call_options.ts";
import { lastWords, runBounded } from "../../platform/processes/bounded_program.ts";
import { childEnvironment } from "../../platform/processes/child_environment.ts";
import { BENTOCLOUD } from "./cloud_client.ts";

export interface PushSettings {
  /** The pinned client. */
  bentoml: string;
  /** BENTOML_HOME with the bento. */
  home: string;
  endpoint: string;
  token: string;
  limitSeconds: number;
}

/** Uploads a bento by BentoML's own client; what is there already is not sent again. */
export async function pushBento(
  bentoTag: string,
  { bentoml, home, endpoint, token, limitSeconds }: PushSettings,
  { signal }: CallOptions,
): Promise<void> {
  const ended = await runBounded({
    command: bentoml,
    args: ["push", bentoTag],
    env: childEnvironment({
      BENTOML_HOME: home,
      BENTOML_DO_NOT_TRACK: "True",
      BENTO_CLOUD_API_ENDPOINT: endpoint,
      BENTO_CLOUD_API_KEY: token,
      NO_COLOR: "1",
    }),
    limitMs: limitSeconds * 1000,
    signal,
  });
  if (!("failed" in ended)) return;
  const { failed, stdout, stderr, cause } = ended;
  if (failed === "cut" || failed === "late") {
    const late = `did not end within MODEL_DEPLOYER_BUILD_SECONDS=${limitSeconds}`;
    const why = failed === "cut" ? "was ended by its caller" : late;
    throw new ServiceUnavailableError(BENTOCLOUD, `pushing ${bentoTag} ${why}`, { cause });
  }
  const said = lastWords(`${stdout}\n${stderr}`);
  throw new EndpointCreationError(`${bentoTag} cannot be pushed to BentoCloud: ${said}`, { cause });
}
