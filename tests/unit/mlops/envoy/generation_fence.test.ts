import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GenerationFence, type FenceFiles } from "../../../../src/mlops/envoy/generation_fence.ts";

const folders = { claims: "/claims", pending: "/pending" };
const target = "/target";

class FileError extends TypeError {
  readonly code: string;

  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

/** Ends one applier for good, as SIGKILL does, at the operation it was about to make. */
class Killed extends TypeError {}

/** Files in memory, each operation atomic, with a place to wait before it; a listing is only as atomic as POSIX says. */
class Disk {
  readonly files = new Map<string, string>();
  /** Contents that were renamed over the target, in order. */
  readonly inForce: number[] = [];
  readonly #listsUncertain: boolean;

  constructor(listsUncertain: boolean) {
    this.#listsUncertain = listsUncertain;
  }

  /** @param pause resolves when the applier may go on; throws when it is dead */
  operations(pause: () => Promise<void>): FenceFiles {
    const { files } = this;
    const remove = (path: string): string => {
      const content = files.get(path);
      if (content === undefined) throw new FileError("ENOENT");
      files.delete(path);
      return content;
    };
    return {
      writeFile: async (path, content, { flag }) => {
        await pause();
        if (flag === "wx" && files.has(path)) throw new FileError("EEXIST");
        files.set(path, content);
      },
      readdir: async (folder) => {
        await pause();
        const before = this.#namesIn(folder);
        await pause();
        const after = this.#namesIn(folder);
        // A file that came or went while the folder was read may show or not.
        if (this.#listsUncertain) return [...new Set([...before, ...after])];
        return before.filter((name) => after.includes(name));
      },
      rename: async (from, to) => {
        await pause();
        const content = remove(from);
        files.set(to, content);
        if (to === target) this.inForce.push(Number(content));
      },
      link: async (from, to) => {
        await pause();
        if (files.has(to)) throw new FileError("EEXIST");
        files.set(to, files.get(from) ?? "");
      },
      unlink: async (path) => {
        await pause();
        remove(path);
      },
    };
  }

  #namesIn(folder: string): string[] {
    return [...this.files.keys()].flatMap((path) =>
      path.startsWith(`${folder}/`) ? [path.slice(folder.length + 1)] : [],
    );
  }
}

const applierArbitrary = fc.record({
  generation: fc.integer({ min: 1, max: 4 }),
  /** Operations that it makes before it is killed; 99 is never. */
  survives: fc.oneof({ weight: 3, arbitrary: fc.constant(99) }, { weight: 1, arbitrary: fc.nat(12) }),
});

describe("the fence of generations", () => {
  it("lets no older generation follow a newer one, in whatever order appliers run, stop, die and wake", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(applierArbitrary, { minLength: 2, maxLength: 4 }),
        fc.boolean(),
        fc.scheduler(),
        async (appliers, listsUncertain, scheduler) => {
          const disk = new Disk(listsUncertain);
          const afterClaim: { generation: number; published: number }[] = [];
          const apply = async ({ generation, survives }: { generation: number; survives: number }) => {
            let operations = 0;
            const files = disk.operations(async () => {
              await scheduler.schedule(Promise.resolve(), `generation ${generation}`);
              operations += 1;
              if (operations > survives) throw new Killed();
            });
            const fence = new GenerationFence(folders, files);
            const claim = await fence.claim(generation);
            if (claim.outcome === "superseded") return;
            afterClaim.push({ generation, published: disk.inForce.length });
            // Once for the clusters, once for the routes.
            await fence.publish(generation, target, String(generation));
            await fence.publish(generation, target, String(generation));
          };
          const runs = appliers.map((applier) =>
            apply(applier).catch((error: unknown) => {
              if (!(error instanceof Killed)) throw error;
            }),
          );
          await scheduler.waitFor(Promise.all(runs));

          expect(disk.inForce).toEqual([...disk.inForce].sort((a, b) => a - b));
          for (const { generation, published } of afterClaim) {
            const later = disk.inForce.slice(published);
            expect(later.filter((other) => other < generation)).toEqual([]);
          }
          const newest = Math.max(...appliers.map((applier) => applier.generation));
          const finishes = appliers.some((a) => a.generation === newest && a.survives === 99);
          if (finishes) expect(disk.inForce.at(-1)).toBe(newest);
        },
      ),
      { numRuns: 2_000 },
    );
  }, 60_000);

  it("changes nothing when an applier is stopped just before its rename and woken after a newer one", async () => {
    const disk = new Disk(false);
    const atRename = Promise.withResolvers<undefined>();
    const wake = Promise.withResolvers<undefined>();
    const operations = disk.operations(async () => undefined);
    const stopped = new GenerationFence(folders, {
      ...operations,
      rename: async (from, to) => {
        atRename.resolve(undefined);
        await wake.promise;
        await operations.rename(from, to);
      },
    });
    expect(await stopped.claim(1)).toEqual({ outcome: "claimed" });
    const older = stopped.publish(1, target, "1");
    await atRename.promise;

    const newer = new GenerationFence(folders, operations);
    expect(await newer.claim(2)).toEqual({ outcome: "claimed" });
    wake.resolve(undefined);
    expect(await older).toEqual({ outcome: "superseded", by: 2 });
    expect(await newer.publish(2, target, "2")).toEqual({ outcome: "published" });
    expect(disk.inForce).toEqual([2]);
    expect(await stopped.claim(1)).toEqual({ outcome: "superseded", by: 2 });
  });

  it("creates a file once, whole, and leaves the first one's content", async () => {
    const disk = new Disk(false);
    const fence = new GenerationFence(
      folders,
      disk.operations(async () => undefined),
    );
    expect(await fence.createOnce("/listener", "first")).toBe(true);
    expect(await fence.createOnce("/listener", "second")).toBe(false);
    expect([...disk.files]).toEqual([["/listener", "first"]]);
  });
});
