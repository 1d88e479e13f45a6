import { z } from "zod";
import type { NextStep } from "../../../src/agents/base/next_step.ts";
import {
  type ModelDeployerRequest,
  requestStateSchema,
} from "../../../src/agents/model_deployer/state/state.ts";
import { UnexpectedOutcomeError } from "../../../src/testing/index.ts";

const WORDS = "somebody has looked into it";

/** The request of a way out, with words where a person has to say some, as the agent takes it. @throws UnexpectedOutcomeError where there is none */
export function modelDeployerRequestOf(step: NextStep | undefined): ModelDeployerRequest {
  const request = z.record(z.string(), z.unknown()).safeParse(step?.request).data;
  if (request === undefined) throw new UnexpectedOutcomeError("No way out is a request of the agent");
  const said = Object.entries(request).map(([name, value]) => [name, value === "..." ? WORDS : value]);
  return requestStateSchema.parse(Object.fromEntries(said));
}
