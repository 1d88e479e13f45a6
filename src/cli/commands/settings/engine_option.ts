import { z } from "zod";
import {
  ENDPOINT_STAGES,
  engineKindSchema,
  type EnginesByStage,
} from "../../../agents/model_deployer/domain/servers/engines.ts";
import { InvalidRequestError } from "../../../agents/model_deployer/errors.ts";

/** The installation's own, whichever that is. */
const USUAL = "usual";

const givenSchema = z.enum([...engineKindSchema.options, USUAL]);
const stageSchema = z.enum(ENDPOINT_STAGES);

/**
 * `kubernetes` for each endpoint of the experiment, or by its stage, `staging=local,production=kubernetes`; `usual` names
 * none. Endpoints that are not named stay as they are.
 * @throws InvalidRequestError
 */
export function enginesFrom(given: string, before: EnginesByStage): EnginesByStage {
  const parts = given.split(",").map((part) => part.trim());
  const named = parts.flatMap((part) => {
    const [left = "", right] = part.split("=");
    const engine = givenSchema.safeParse((right ?? left).trim());
    const stages = right === undefined ? z.array(stageSchema).safeParse([...ENDPOINT_STAGES]) : stageOf(left);
    if (!engine.success || !stages.success || part.split("=").length > 2) throw misspelt(given);
    return stages.data.map((stage) => ({ stage, engine: engine.data }));
  });
  if (new Set(named.map(({ stage }) => stage)).size < named.length) throw misspelt(given);
  return named.reduce<EnginesByStage>((engines, { stage, engine }) => {
    const { [stage]: _former, ...others } = engines;
    return engine === USUAL ? others : { ...others, [stage]: engine };
  }, before);
}

const stageOf = (given: string) => z.array(stageSchema).safeParse([given.trim()]);

function misspelt(given: string): InvalidRequestError {
  return new InvalidRequestError(
    `--engine ${given}: name ${engineKindSchema.options.join(", ")} or usual, for both endpoints or each once by its stage, as in staging=local,production=kubernetes.`,
  );
}
