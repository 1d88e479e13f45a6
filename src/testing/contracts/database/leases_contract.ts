import { expect, test } from "vitest";
import { ConflictError } from "../../../agents/model_deployer/errors.ts";
import type { OpenDatabase } from "./harness.ts";

const held = { ttl_seconds: 60, preempt: false };

export function describeLeases(open: OpenDatabase): void {
  test("a held lease is refused to others and to the same process, who holds it and since when", async () => {
    const { db, another } = await open();
    const lease = await db.leases.acquire("e2i_exp", held);
    expect(lease).toEqual({ name: "e2i_exp", holder: "process-a", token: 1 });
    await expect(db.leases.acquire("e2i_exp", held)).rejects.toThrow(ConflictError);
    const refused = another("process-b").leases.acquire("e2i_exp", held);
    await expect(refused).rejects.toMatchObject({
      code: "conflict",
      details: { lease: "e2i_exp", found: { holder: "process-a", token: 1 } },
    });
    await expect(refused).rejects.toThrow(/process-a holds it since 20\d\d-/);
    await another("process-b").leases.acquire("another", held);
  });

  test("of sixteen who acquire at once exactly one is granted", async () => {
    const { db, another } = await open();
    const processes = [db, another("process-b"), another("process-c"), another("process-d")];
    for (let round = 1; round <= 5; round += 1) {
      const tries = await Promise.allSettled(
        [...processes, ...processes, ...processes, ...processes].map((one) =>
          one.leases.acquire("e2i_exp", held),
        ),
      );
      const granted = tries.flatMap((tried) =>
        tried.status === "fulfilled" && tried.value ? [tried.value] : [],
      );
      expect(granted.map(({ token }) => token)).toEqual([round]);
      await Promise.all(granted.map((lease) => db.leases.release(lease)));
    }
  });

  test("an expired lease goes to the next with a larger token, and the old one can do nothing", async () => {
    const { db, another, passTime } = await open();
    const old = await db.leases.acquire("e2i_exp", held);
    await passTime({ seconds: 61 });
    const fresh = await another("process-b").leases.acquire("e2i_exp", held);
    expect(fresh.token).toBeGreaterThan(old.token);
    await expect(db.leases.renew(old, { ttl_seconds: 60 })).rejects.toThrow(/process-b holds it since/);
    await db.leases.release(old);
    await expect(db.leases.acquire("e2i_exp", held)).rejects.toThrow(ConflictError);
  });

  test("preempt takes the lease from whoever has it", async () => {
    const { db, another } = await open();
    const old = await db.leases.acquire("e2i_exp", held);
    const taken = await another("process-b").leases.acquire("e2i_exp", { ...held, preempt: true });
    expect(taken).toMatchObject({ holder: "process-b", token: 2 });
    await expect(db.leases.renew(old, { ttl_seconds: 60 })).rejects.toThrow(ConflictError);
  });

  test("work that nobody asked for gives its lease to whoever asks, and takes it from nobody", async () => {
    const { db, another } = await open();
    const background = { ...held, background: true };
    const repair = await db.leases.acquire("e2i_exp", background);
    await expect(another("process-b").leases.acquire("e2i_exp", background)).rejects.toThrow(ConflictError);
    const asked = await another("process-b").leases.acquire("e2i_exp", held);
    expect(asked).toMatchObject({ holder: "process-b", token: 2 });
    await expect(db.leases.renew(repair, { ttl_seconds: 60 })).rejects.toThrow(ConflictError);
    await expect(db.leases.acquire("e2i_exp", background)).rejects.toThrow(ConflictError);
    await expect(db.leases.acquire("e2i_exp", held)).rejects.toThrow(ConflictError);
  });

  test("renewing moves the end, and releasing is final, idempotent and lets the next one in at once", async () => {
    const { db, another, passTime } = await open();
    const lease = await db.leases.acquire("e2i_exp", { ttl_seconds: 1, preempt: false });
    await db.leases.renew(lease, { ttl_seconds: 3600 });
    await passTime({ minutes: 59 });
    await expect(another("process-b").leases.acquire("e2i_exp", held)).rejects.toThrow(ConflictError);
    await db.leases.release(lease);
    await db.leases.release(lease);
    await expect(db.leases.renew(lease, { ttl_seconds: 60 })).rejects.toThrow(ConflictError);
    expect((await db.leases.acquire("e2i_exp", held)).token).toBe(2);
  });
}
