import { StaleViewError } from "./api_errors.ts";
import { InvalidRequestError } from "../agents/model_deployer/errors.ts";
import type { DeployerDatabase } from "../database/index.ts";

/** The generation in an `If-Match` header; null without one. @throws InvalidRequestError */
export function seenGeneration(header: string | undefined): number | null {
  if (header === undefined) return null;
  const generation = /^"(\d{1,15})"$/.exec(header)?.[1];
  if (generation !== undefined) return Number(generation);
  throw new InvalidRequestError(
    `If-Match is ${JSON.stringify(header.slice(0, 40))}; send the generation that was seen, such as "7" with its quotes.`,
  );
}

/**
 * Refuses an action on an endpoint that has moved on since its caller looked, and says by what. Whoever acts is decided
 * about anew in any case; this keeps a person from deciding by what is no more.
 * @throws StaleViewError
 */
export async function refuseStaleView(
  { endpoints, overview }: Pick<DeployerDatabase, "endpoints" | "overview">,
  endpointName: string | undefined,
  seen: number | null,
): Promise<void> {
  const endpoint = seen === null ? null : await endpoints.get(endpointName ?? "");
  if (seen === null || endpoint === null || endpoint.generation === seen) return;
  const last = await overview.lastTrafficChange(endpoint.endpoint_name);
  const by =
    last === null ? "" : ` The last change was ${last.changed_by}'s at ${last.occurred_at}: ${last.reason}.`;
  const shares = Object.entries(endpoint.weights)
    .filter(([, weight]) => weight > 0)
    .map(([id, weight]) => `${weight} % ${id}`);
  throw new StaleViewError(
    `${endpoint.endpoint_name} has moved on from generation ${seen}, by which you decided, to ${endpoint.generation}.${by} ` +
      `Its traffic is now ${shares.length === 0 ? "none" : shares.join(", ")}; look at the plan again.`,
    { details: { seen, generation: endpoint.generation, weights: endpoint.weights } },
  );
}
