import type { ActionRequest } from "../domain/requests.ts";
import { type Extent, hasRight, type Right } from "../domain/access/roles.ts";
import { NotPermittedError } from "../errors.ts";
import { missingRight } from "../planning/approval/missing_right.ts";
import type { Operation } from "../ports/stores/operation_stores.ts";
import type { Database, Settings } from "../ports/parts.ts";
import { subjectOf } from "./operation_subject.ts";

type Asking = Pick<Settings, "requested_by" | "origin">;

/**
 * Refuses a request of whoever has shown a token and has not the right for the request's experiment; the refusal goes into
 * the audit trail. A session without a token has the rights of its login to the database.
 * @throws NotPermittedError
 */
export async function requireRight(
  database: Database,
  asking: Asking,
  right: Right,
  request: ActionRequest,
): Promise<void> {
  if (asking.origin?.as !== "token") return;
  const { experiment_id } = await subjectOf(request, database);
  await requireRightFor(database, asking, right, { extent: experiment_id, subject: request.action });
}

interface About {
  extent: Extent;
  subject: string;
}

/** As `requireRight`, of whatever it is about. @throws NotPermittedError */
export async function requireRightFor(
  database: Pick<Database, "access">,
  asking: Asking,
  right: Right,
  about: About,
): Promise<void> {
  if (asking.origin?.as !== "token") return;
  if (hasRight(await database.access.grantsOf(asking.requested_by), right, about.extent)) return;
  await refuseRight(database, asking, right, about);
}

/** Writes the refusal into the audit trail. @throws NotPermittedError */
export async function refuseRight(
  { access }: Pick<Database, "access">,
  { requested_by: who, origin = null }: Asking,
  right: Right,
  { extent, subject }: About,
): Promise<never> {
  await access.refused({ who, right, subject, origin });
  const { message, options } = missingRight({ who, right, extent });
  throw new NotPermittedError(message, options);
}

/** Whether it is known who asks: a token's principal, or a session whose user is one. */
export function isKnown({ person, asked_from }: Pick<Operation, "person" | "asked_from">): boolean {
  return person !== null || asked_from === null || asked_from.as === "token";
}
