import { z } from "zod";
import { agentFailureSchema } from "../agents/base/agent_state.ts";
import { type AgentRun, type AgentUpdate, BaseAgent } from "../agents/base/base_agent.ts";
import { type DeploymentManifest, deploymentManifestSchema } from "../agents/model_deployer/domain/answer.ts";
import { InvalidRequestError, ServiceRefusedError } from "../agents/model_deployer/errors.ts";
import type { WorkingMemory } from "../agents/model_deployer/ports/memory_ports.ts";
import { predict } from "./prediction_client.ts";
import { readState } from "./read_state.ts";
import { type Prediction, type PredictionRequest, predictionRequestSchema } from "./pipeline_state.ts";
import { traced } from "./traced.ts";
import type { MemorySource } from "../agents/base/memory.ts";

const inputSchema = z.object({
  deployment_manifest: deploymentManifestSchema.nullish(),
  prediction_request: z.unknown().optional(),
  status: z.unknown().optional(),
  errors: z.array(agentFailureSchema).default([]),
  session_id: z.unknown().optional(),
  deployment_plan: z.unknown().optional(),
  operation_id: z.unknown().optional(),
});
type SynthesizerInput = z.infer<typeof inputSchema>;

/** An address comes from a state that anybody may have written, so a key goes only where it belongs. */
export type KeyFor = (endpointUrl: string) => string | null;

/** Where the deployer leaves a session's manifest. */
export interface SynthesizerMemory {
  workingMemory: Pick<WorkingMemory, "recallManifest">;
}

export interface Synthesis extends AgentUpdate {
  prediction: Prediction | null;
  warnings: string[];
}

/**
 * Asks the endpoint of this run's manifest, or of the session's last one; without either it does nothing and says why.
 */
export class PredictionSynthesizerAgent extends BaseAgent<
  Record<string, unknown>,
  Synthesis,
  SynthesizerMemory
> {
  readonly #keyFor: KeyFor;

  /** @param keyFor the key or token by which an address lets this agent in; none is sent to those without */
  constructor(memory: MemorySource<SynthesizerMemory> | null = null, keyFor: KeyFor = () => null) {
    super(memory);
    this.#keyFor = keyFor;
  }

  readonly agent_name = "prediction_synthesizer";
  readonly tier = 4;
  readonly tier_name = "ml_predictions";
  readonly agent_type = "standard";
  /** Four tries of 5.0 s, the health check's, and the pauses between them. */
  readonly sla_seconds = 30;

  protected pick(state: Record<string, unknown>): Record<string, unknown> {
    return state;
  }

  protected override noAnswer(): Partial<Synthesis> {
    return { prediction: null };
  }

  /** @throws InvalidRequestError | ServiceUnavailableError | ServiceRefusedError */
  protected async run(state: Record<string, unknown>, run: AgentRun<SynthesizerMemory>): Promise<Synthesis> {
    const given = readState(inputSchema, state);
    const recalled = await recall(given, run);
    const input = recalled === null ? given : { ...given, deployment_manifest: recalled };
    const reason = whyNot(input);
    if (reason !== null) return { prediction: { outcome: "skipped", reason }, warnings: [reason] };
    const request = requestOf(input);
    const endpoint_url = input.deployment_manifest?.endpoint_url ?? "";
    const asking = { key: this.#keyFor(endpoint_url), signal: run.signal };
    const answer = await traced("predict", run, () => predict(endpoint_url, request, asking));
    const { probabilities = null, confidence = null, ...rest } = answer;
    return {
      prediction: { outcome: "predicted", endpoint_url, probabilities, confidence, ...rest },
      warnings: recalled === null ? [] : [sentenceOn(recalled)],
    };
  }
}

/** The session's last manifest, where this run has something to ask and no manifest of its own. */
async function recall(
  given: SynthesizerInput,
  run: AgentRun<SynthesizerMemory>,
): Promise<DeploymentManifest | null> {
  const session = given.session_id;
  const asks = given.prediction_request !== undefined && given.prediction_request !== null;
  if (!asks || typeof session !== "string" || !mayRecall(given)) return null;
  return run.memory.use("working_memory", "does not say which endpoint the session has", (memory, options) =>
    traced("recall_manifest", run, async () => {
      const remembered = await memory.workingMemory.recallManifest(session, options);
      const parsed = deploymentManifestSchema.nullable().safeParse(remembered);
      if (parsed.success) return parsed.data;
      const message = `what is kept for ${session} is no manifest: ${z.prettifyError(parsed.error)}`;
      throw new ServiceRefusedError("working memory", message, { cause: parsed.error });
    }),
  );
}

/**
 * Not after a failed deployment, whose failure is reported instead, nor after a dry run, which sends nobody a request.
 */
function mayRecall({
  deployment_manifest,
  status,
  deployment_plan,
  operation_id,
}: SynthesizerInput): boolean {
  const isDryRun = (deployment_plan ?? null) !== null && (operation_id ?? null) === null;
  return (deployment_manifest ?? null) === null && status !== "failed" && !isDryRun;
}

function sentenceOn({ deployment_id, deployed_at }: DeploymentManifest): string {
  return `The deployer handed over no deployment_manifest; the session's last one was used, of ${deployment_id} at ${deployed_at}.`;
}

/** The reason for asking nobody; null where there is a request and an endpoint to answer it. */
function whyNot({
  deployment_manifest: manifest,
  prediction_request,
  status,
  errors,
}: SynthesizerInput): string | null {
  const because = whyNoEndpoint(manifest ?? null);
  if (because !== null) {
    const failure =
      status === "failed" ? errors.findLast((one) => one.agent_name === "model_deployer") : undefined;
    return `No prediction was made: ${failure === undefined ? because : `model_deployer failed: ${failure.message}`}`;
  }
  if (prediction_request === undefined || prediction_request === null)
    return "No prediction was made: the state holds no prediction_request.";
  return null;
}

function whyNoEndpoint(manifest: DeploymentManifest | null): string | null {
  if (manifest === null) return "the deployer handed over no deployment_manifest.";
  if (manifest.traffic.weights.length > 0) return null;
  return `endpoint ${manifest.endpoint_name} has no version in traffic.`;
}

function requestOf({ prediction_request }: SynthesizerInput): PredictionRequest {
  const parsed = predictionRequestSchema.safeParse(prediction_request);
  if (parsed.success) return parsed.data;
  throw new InvalidRequestError(`prediction_request is not valid: ${z.prettifyError(parsed.error)}`, {
    cause: parsed.error,
  });
}
