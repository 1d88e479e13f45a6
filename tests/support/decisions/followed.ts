import { z } from "zod";
import type { NextStep } from "../../../src/agents/base/next_step.ts";
import {
  type ModelDeployerRequest,
  requestStateSchema,
} from "../../../src/agents/model_deployer/state/state.ts";
import { UnexpectedOutcomeError } from "../../../src/testing/index.ts";

/** The request of a way out, as the agent takes it. @throws UnexpectedOutcomeError where there is none */
export function modelDeployerRequestOf(step: NextStep | undefined): ModelDeployerRequest {
  const request = z.record(z.string(), z.unknown()).safeParse(step?.request).data;
  if (request === undefined) throw new UnexpectedOutcomeError("No way out is a request of the agent");
  return requestStateSchema.parse(request);
}
