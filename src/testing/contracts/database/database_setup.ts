import { randomUUID } from "node:crypto";
import type { Change } from "../../../agents/model_deployer/domain/changes.ts";
import type { Deployment } from "../../../agents/model_deployer/domain/entities.ts";
import type { Operation } from "../../../agents/model_deployer/ports/stores/operation_stores.ts";
import type { TestDatabase } from "../../in_memory/database/in_memory_database.ts";
import { deploymentOf, move, planOf, versionOf } from "./fixtures.ts";

export async function claim(
  db: TestDatabase,
  overrides: Partial<Parameters<TestDatabase["journal"]["claim"]>[0]> = {},
): Promise<Operation> {
  return db.journal.claim({
    request_id: randomUUID(),
    payload_hash: "hash",
    action: "deploy",
    requested_by: "requester",
    request: {},
    ...overrides,
  });
}

/** Applies the changes in an operation of their own. */
export async function apply(db: TestDatabase, ...changes: Change[]): Promise<Operation> {
  const operation = await claim(db);
  await db.journal.begin(operation.operation_id, planOf(changes), null);
  return operation;
}

export async function registerVersions(db: TestDatabase, ...numbers: number[]): Promise<void> {
  await apply(
    db,
    ...numbers.map((number) => ({
      change: "insert_model_version" as const,
      model_version: versionOf(number),
      algorithm: "sklearn",
    })),
  );
}

export async function promoteToProduction(db: TestDatabase, version: number): Promise<void> {
  await apply(db, move(version, "development", "staging", 0));
  await apply(db, move(version, "staging", "shadow", 1));
  await apply(db, move(version, "shadow", "production", 2));
}

/** An open endpoint `e2i_exp` with deployments d1, d2, ... of versions 1, 2, ..., none of which has traffic. */
export async function openEndpointWith(
  db: TestDatabase,
  count: number,
  overrides: Partial<Deployment> = {},
): Promise<void> {
  const numbers = Array.from({ length: count }, (_, index) => index + 1);
  await registerVersions(db, ...numbers);
  const operation = await claim(db);
  const intent: Change[] = [
    {
      change: "open_endpoint",
      endpoint_name: "e2i_exp",
      experiment_id: "exp",
      endpoint_url: "http://127.0.0.1:9",
    },
    ...numbers.map((number) => ({
      change: "insert_deployment" as const,
      deployment: deploymentOf(operation.operation_id, `d${number}`, number, overrides),
    })),
  ];
  await db.journal.begin(operation.operation_id, planOf(intent), null);
}
