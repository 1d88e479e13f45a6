import { expect, test } from "vitest";
import { decidePrune, type PruneFacts } from "../../../src/keeping/decide_prune.ts";
import type { NeededVersion, StoredItem } from "../../../src/keeping/prunable_store.ts";

const NOW = "2026-03-01T00:00:00.000Z";
const DAY = 86_400;
const daysAgo = (days: number) => new Date(Date.parse(NOW) - days * DAY * 1000).toISOString();

const item = (kind: StoredItem["kind"], name: string, more: Partial<StoredItem> = {}): StoredItem => ({
  ...{ kind, name, bytes: 100, used_at: daysAgo(60), held: null, needs: [] },
  ...more,
});
const version = (more: Partial<NeededVersion> = {}): NeededVersion => ({
  ...{ model_version_id: "mv_1", bento_tag: "relapse:v1", digests: ["d1"], deployment_ids: ["deploy_1"] },
  ...{ why: "serves on relapse" },
  ...more,
});
const decided = (facts: Partial<PruneFacts>, policy = {}) => {
  const plan = decidePrune(
    { older_than_seconds: 30 * DAY, keep_under_bytes: null, ...policy },
    { now: NOW, items: [], needed: [], rows: [], ...facts },
  );
  return {
    ...plan,
    remove: plan.remove.map(({ kind, name }) => `${kind} ${name}`),
    why: Object.fromEntries(plan.keep.map(({ kind, name, why }) => [`${kind} ${name}`, why])),
  };
};

test("what was not used for thirty days goes, what was used since stays", () => {
  const items = [item("bentos", "relapse:v1"), item("bentos", "relapse:v2", { used_at: daysAgo(29) })];
  const plan = decided({ items });
  expect(plan.remove).toEqual(["bentos relapse:v1"]);
  expect(plan.why).toEqual({ "bentos relapse:v2": "used not long ago" });
  expect(plan).toMatchObject({ freed_bytes: 100, kept_bytes: 100 });
});

test("bento, artifacts and logs of a needed version stay whatever their age, with the reason", () => {
  const items = [
    item("bentos", "relapse:v1"),
    item("artifacts", "d1"),
    item("logs", "deploy_1"),
    item("artifacts", "d2"),
    item("logs", "deploy_0"),
  ];
  const plan = decided({ items, needed: [version()] });
  expect(plan.remove.sort()).toEqual(["artifacts d2", "logs deploy_0"]);
  expect(plan.why["bentos relapse:v1"]).toBe("serves on relapse");
});

test("an environment stays as long as one bento that stays needs it", () => {
  const needs = [{ kind: "environments" as const, name: "model-1" }];
  const young = item("bentos", "relapse:v2", { used_at: daysAgo(1), needs });
  const items = [item("bentos", "relapse:v1", { needs }), young, item("environments", "model-1")];
  expect(decided({ items }).why["environments model-1"]).toBe("bento relapse:v2 needs it");
  const alone = decided({ items: items.filter((one) => one !== young) });
  expect(alone.remove.sort()).toEqual(["bentos relapse:v1", "environments model-1"]);
});

test("a size lets younger things go too, the oldest first, and none that was used within five minutes", () => {
  const items = [3, 2, 1, 0].map((days) => item("bentos", `relapse:v${days}`, { used_at: daysAgo(days) }));
  const plan = decided({ items }, { keep_under_bytes: 250 });
  expect(plan.remove).toEqual(["bentos relapse:v3", "bentos relapse:v2"]);
  const tight = decided({ items }, { keep_under_bytes: 0 });
  expect(tight.remove).not.toContain("bentos relapse:v0");
  expect(tight.notes[0]).toMatch(/larger than asked for/);
});

test("what a store holds stays: a running server, another home", () => {
  const items = [item("environments", "model-1", { held: "/srv/other uses it too" })];
  expect(decided({ items }).why).toEqual({ "environments model-1": "/srv/other uses it too" });
});

test("for any things, needs and sizes: nothing that is needed goes, and whatever stays has what it needs", async () => {
  const { default: fc } = await import("fast-check");
  const names = fc.constantFrom("a", "b", "c", "d");
  const things = fc.uniqueArray(
    fc.record({
      kind: fc.constantFrom("bentos" as const, "artifacts" as const, "environments" as const),
      name: names,
      days: fc.integer({ min: 0, max: 90 }),
      bytes: fc.integer({ min: 0, max: 1000 }),
      needs: fc.array(names, { maxLength: 2 }),
      held: fc.boolean(),
    }),
    { selector: ({ kind, name }) => `${kind} ${name}` },
  );
  const given = fc.record({
    things,
    tags: fc.array(names),
    bound: fc.option(fc.integer({ min: 0, max: 4000 })),
  });
  fc.assert(
    fc.property(given, ({ things, tags, bound }) => {
      const items = things.map(({ days, needs, held, ...one }) => ({
        ...one,
        used_at: daysAgo(days),
        held: held ? "held" : null,
        needs: one.kind === "bentos" ? needs.map((name) => ({ kind: "environments" as const, name })) : [],
      }));
      const needed = tags.map((bento_tag) => version({ bento_tag, digests: [], deployment_ids: [] }));
      const plan = decidePrune(
        { older_than_seconds: 30 * DAY, keep_under_bytes: bound },
        { now: NOW, items, needed, rows: [] },
      );
      const gone = new Set(plan.remove.map(({ kind, name }) => `${kind} ${name}`));
      expect(plan.remove.length + plan.keep.length).toBe(items.length);
      for (const tag of tags) expect(gone).not.toContain(`bentos ${tag}`);
      for (const { held, kind, name } of items) if (held) expect(gone).not.toContain(`${kind} ${name}`);
      for (const { needs } of plan.keep) {
        for (const { kind, name } of needs) expect(gone).not.toContain(`${kind} ${name}`);
      }
    }),
    { numRuns: 500 },
  );
});
