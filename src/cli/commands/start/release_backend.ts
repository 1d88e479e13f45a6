import type { ModelDeployerRequest } from "../../../agents/model_deployer/state/state.ts";
import { applyReportSchema } from "../../../service/report_schemas.ts";
import {
  releaseFacts,
  type ReleaseFacts,
  releaseFactsSchema,
} from "../../../service/release/release_facts.ts";
import type { Invocation } from "../../invocation/invocation.ts";

/** All that a release reads and asks for, here or through the API. */
export interface ReleaseBackend {
  facts(experiment: string, run: string): Promise<ReleaseFacts>;
  /** @throws what the action is refused by */
  act(request: ModelDeployerRequest, tell: (text: string) => void): Promise<{ isUnderWay: boolean }>;
}

export async function withReleaseBackend<T>(
  invocation: Invocation,
  work: (backend: ReleaseBackend) => Promise<T>,
): Promise<T> {
  const remote = await invocation.remote();
  if (remote !== null) {
    return work({
      facts: (experiment, run) =>
        remote.ask(releaseFactsSchema, `/v1/experiments/${segment(experiment)}/releases/${segment(run)}`),
      act: async (body) => {
        const { status } = await remote.ask(applyReportSchema, "/v1/actions", { body });
        return { isUnderWay: status === "in_progress" };
      },
    });
  }
  const { runAction } = await import("../../../service/actions/run_action.ts");
  const { signal } = invocation;
  return invocation.withDeployer((deployer) =>
    work({
      facts: (experiment, run) => releaseFacts(deployer.database, experiment, run),
      act: async (request, tell) => {
        const { status } = await runAction(deployer, request, { effects: "live", signal, tell });
        return { isUnderWay: status === "in_progress" };
      },
    }),
  );
}

const segment = encodeURIComponent;
