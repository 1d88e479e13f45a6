import type { ItemName, NeededVersion, OldRows, StoredItem } from "./prunable_store.ts";

export interface PrunePolicy {
  /** A thing that nobody needs goes once it was not used for this long. */
  older_than_seconds: number;
  /** Above this size of all stores together younger things go too, the oldest first; null: any size. */
  keep_under_bytes: number | null;
}

/** A thing that was used within so many seconds stays, whatever a size asks for: somebody may be about to use it. */
export const YOUNGEST_SECONDS = 300;

export interface PruneFacts {
  now: string;
  items: readonly StoredItem[];
  needed: readonly NeededVersion[];
  rows: readonly OldRows[];
}

export interface KeptItem extends StoredItem {
  why: string;
}

export interface PrunePlan {
  remove: StoredItem[];
  keep: KeptItem[];
  rows: OldRows[];
  freed_bytes: number;
  kept_bytes: number;
  notes: string[];
}

/**
 * The things that go by a policy, and why each other one stays. A thing stays when it is held or needed, or when what stays
 * needs it.
 */
export function decidePrune(policy: PrunePolicy, facts: PruneFacts): PrunePlan {
  const reasons = new Map<string, string>();
  for (const version of facts.needed) {
    for (const item of namesIn(version)) if (!reasons.has(keyOf(item))) reasons.set(keyOf(item), version.why);
  }
  const why = (item: StoredItem) => item.held ?? reasons.get(keyOf(item)) ?? null;
  const free = facts.items.filter((item) => why(item) === null).sort(oldestFirst);
  const going = goingBy(policy, facts, free);
  const kept = facts.items.filter((item) => !going.has(keyOf(item)));
  const keys = stayWith(kept, going);
  const remove = free.filter((item) => going.has(keyOf(item)) && !keys.has(keyOf(item)));
  const removed = new Set(remove.map(keyOf));
  const keep = facts.items
    .filter((item) => !removed.has(keyOf(item)))
    .map((item) => ({ ...item, why: why(item) ?? keys.get(keyOf(item)) ?? "used not long ago" }));
  const kept_bytes = sizeOf(keep);
  return {
    ...{ remove, keep, kept_bytes, freed_bytes: sizeOf(remove) },
    rows: facts.rows.filter(({ rows }) => rows > 0),
    notes: notesOn(policy, kept_bytes),
  };
}

/** Of what nobody needs: whatever is old enough, and as many more as the size asks for. */
function goingBy(policy: PrunePolicy, { items, now }: PruneFacts, free: readonly StoredItem[]): Set<string> {
  const seconds = ({ used_at }: StoredItem) => (Date.parse(now) - Date.parse(used_at)) / 1000;
  const going = new Set(free.filter((one) => seconds(one) > policy.older_than_seconds).map(keyOf));
  if (policy.keep_under_bytes === null) return going;
  let left = sizeOf(items.filter((item) => !going.has(keyOf(item))));
  for (const item of free) {
    if (left <= policy.keep_under_bytes) break;
    if (going.has(keyOf(item)) || seconds(item) <= YOUNGEST_SECONDS) continue;
    going.add(keyOf(item));
    left -= item.bytes;
  }
  return going;
}

/** The things that were to go and are needed by ones that stay, with the reason. */
function stayWith(kept: readonly StoredItem[], going: ReadonlySet<string>): Map<string, string> {
  const reasons = new Map<string, string>();
  for (const { kind, name, needs } of kept) {
    for (const item of needs) {
      if (going.has(keyOf(item))) reasons.set(keyOf(item), `${kind.replace(/s$/, "")} ${name} needs it`);
    }
  }
  return reasons;
}

function notesOn({ keep_under_bytes: bound }: PrunePolicy, kept: number): string[] {
  if (bound === null || kept <= bound) return [];
  return [
    `What stays is larger than asked for: it is needed, or was used within ${YOUNGEST_SECONDS / 60} minutes.`,
  ];
}

/** The items that a needed version stands for, whether they are there or not. */
export function namesIn({ bento_tag, digests, deployment_ids }: NeededVersion): ItemName[] {
  return [
    { kind: "bentos", name: bento_tag },
    ...digests.map((name) => ({ kind: "artifacts" as const, name })),
    ...deployment_ids.map((name) => ({ kind: "logs" as const, name })),
  ];
}

export const keyOf = ({ kind, name }: ItemName): string => `${kind} ${name}`;

const sizeOf = (items: readonly StoredItem[]): number => items.reduce((sum, { bytes }) => sum + bytes, 0);

function oldestFirst(a: StoredItem, b: StoredItem): number {
  return Date.parse(a.used_at) - Date.parse(b.used_at) || (keyOf(a) < keyOf(b) ? -1 : 1);
}
