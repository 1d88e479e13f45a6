import type { Extent } from "../../agents/model_deployer/domain/roles.ts";
import { subjectOfOperation } from "../../service/operations/operation_reports.ts";
import type { ApiParts } from "../api_parts.ts";

/** The experiment that a request is about; null where the database knows none, which only a role for all experiments is told of. */
export async function ofEndpoint(
  { database }: ApiParts,
  { params }: { params: { endpoint: string } },
): Promise<Extent> {
  return (await database.endpoints.get(params.endpoint))?.experiment_id ?? null;
}

export async function ofRollout(
  { database }: ApiParts,
  { params }: { params: { rollout: string } },
): Promise<Extent> {
  return (await database.rollouts.get(params.rollout))?.experiment_id ?? null;
}

export async function ofExperimentNamed(
  _: ApiParts,
  { params }: { params: { experiment: string } },
): Promise<Extent> {
  return params.experiment;
}

/** An endpoint or an experiment. */
export async function ofSubject(
  { database }: ApiParts,
  { params }: { params: { subject: string } },
): Promise<Extent> {
  return (await database.endpoints.get(params.subject))?.experiment_id ?? params.subject;
}

export async function ofOperation(
  { database }: ApiParts,
  { params }: { params: { operation: string } },
): Promise<Extent> {
  const operation = await database.operations.get(params.operation);
  return operation === null ? null : (await subjectOfOperation(operation, database)).experiment_id;
}
