import type { Extent } from "../../agents/model_deployer/domain/access/roles.ts";
import { NotFoundError } from "../../agents/model_deployer/errors.ts";
import { namedEndpoint } from "../../service/ingress/ingress_administration.ts";
import { subjectOfOperation } from "../../service/operations/operation_reports.ts";
import type { ApiParts } from "../api_parts.ts";

/** The experiment that a request is about; null where the database knows none, which only a role for all experiments is told of. */
export async function ofEndpoint(
  { database }: ApiParts,
  { params }: { params: { endpoint: string } },
): Promise<Extent> {
  return (await database.endpoints.get(params.endpoint))?.experiment_id ?? null;
}

/** Of one that is not open yet, too. */
export async function ofNamedEndpoint(
  parts: ApiParts,
  { params }: { params: { endpoint: string } },
): Promise<Extent> {
  try {
    return (await namedEndpoint(params.endpoint, parts)).experiment_id;
  } catch (error) {
    if (error instanceof NotFoundError) return null;
    throw error;
  }
}

export async function ofRollout(
  { database }: ApiParts,
  { params }: { params: { rollout: string } },
): Promise<Extent> {
  return (await database.rollouts.get(params.rollout))?.experiment_id ?? null;
}

/** A version or a deployment. */
export async function ofServed(
  { database }: ApiParts,
  { params }: { params: { served: string } },
): Promise<Extent> {
  const { deployments, modelVersions } = database;
  const deployment = await deployments.get(params.served);
  return deployment?.experiment_id ?? (await modelVersions.get(params.served))?.experiment_id ?? null;
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
