import { createHash } from "node:crypto";
import { InvalidRequestError } from "../../agents/model_deployer/errors.ts";
import type { DeployerDatabase } from "../../database/index.ts";
import type { AuditLink } from "../../database/repositories/reading/audit_trail.ts";
import { auditEntrySchema, type AuditLinkView, type AuditVerification } from "./audit_schemas.ts";

const FIRST = "0".repeat(64);
const BATCH = 1000;

type Trail = DeployerDatabase["auditTrail"];

/** All entries after that one, in their order, however many there are. */
export async function* auditLinks(trail: Pick<Trail, "after">, after = 0): AsyncGenerator<AuditLink> {
  for (let last = after; ;) {
    const batch = await trail.after(last, BATCH);
    yield* batch;
    const end = batch.at(-1);
    if (end === undefined) return;
    last = end.sequence;
  }
}

export function linkView({ entry, previous, hash }: AuditLink): AuditLinkView {
  return { entry: auditEntrySchema.parse(JSON.parse(entry)), line: entry, previous, hash };
}

/** One line of an export: the entry stands in it as it was hashed. */
export const exportedLine = ({ entry, previous, hash }: AuditLink): string =>
  `{"hash":"${hash}","previous":"${previous}","entry":${entry}}`;

const EXPORTED =
  /^\{"hash":"([0-9a-f]{64})","previous":"([0-9a-f]{64})","entry":(\{"sequence" : (\d+), .*\})\}$/;

/** @throws InvalidRequestError for a line that no export wrote */
export function importedLine(line: string, number: number): AuditLink {
  const [, hash, previous, entry, sequence] = EXPORTED.exec(line) ?? [];
  if (hash !== undefined && previous !== undefined && entry !== undefined)
    return { hash, previous, entry, sequence: Number(sequence) };
  throw new InvalidRequestError(
    `Line ${number} is no entry of an audit trail: ${JSON.stringify(line.slice(0, 100))}; give a file that audit export wrote.`,
  );
}

/**
 * Follows the chain from its beginning, or from the first entry of a part of it.
 * @param expected its end as it is known, and a hash that has to be in it; null where nothing is known
 */
export async function verifyChain(
  links: AsyncIterable<AuditLink> | Iterable<AuditLink>,
  expected: { head: { sequence: number; hash: string } | null; includes: string | null; isWhole: boolean },
): Promise<AuditVerification> {
  let before: AuditLink | null = null;
  let entries = 0;
  let isIncluded = expected.includes === null;
  const answer = (problem: AuditVerification["problem"]): AuditVerification => ({
    ...{ is_intact: problem === null, entries, head: before?.hash ?? null, problem },
  });
  for await (const link of links) {
    const why = wrongLink(link, before, expected.isWhole);
    if (why !== null) return answer({ sequence: link.sequence, why });
    isIncluded ||= link.hash === expected.includes;
    before = link;
    entries += 1;
  }
  const { head } = expected;
  const last = before?.sequence ?? 0;
  // Entries may have been added since the end was read, and none taken away.
  if (head !== null && last < head.sequence)
    return answer({ sequence: last + 1, why: `the trail ends here and should end with ${head.sequence}` });
  if (!isIncluded) return answer({ sequence: last, why: `${expected.includes} is no hash of the trail` });
  return answer(null);
}

function wrongLink(link: AuditLink, before: AuditLink | null, isWhole: boolean): string | null {
  const [sequence, previous] = before === null ? [1, FIRST] : [before.sequence + 1, before.hash];
  const isFirstOfPart = before === null && !isWhole;
  if (!isFirstOfPart && link.sequence !== sequence) return `entry ${sequence} should stand here`;
  if (!isFirstOfPart && link.previous !== previous) return "it does not follow from the entry before it";
  const sealed = createHash("sha256")
    .update(link.previous + link.entry)
    .digest("hex");
  if (sealed !== link.hash) return "its text is not the one that was hashed";
  const inside = auditEntrySchema.safeParse(JSON.parse(link.entry));
  if (inside.success && inside.data.sequence === link.sequence) return null;
  return "it names another place in the trail";
}
