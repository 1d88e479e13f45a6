import { ConflictError } from "../../../../agents/model_deployer/errors.ts";
import type { Lease, Leases } from "../../../../agents/model_deployer/store_ports.ts";
import type { LeaseRow, Tables } from "../tables.ts";

/** `holder` names the process instance, never a request. */
export class InMemoryLeases implements Leases {
  readonly #tables: Tables;
  readonly #holder: string;

  constructor(tables: Tables, holder: string) {
    this.#tables = tables;
    this.#holder = holder;
  }

  async acquire(
    name: string,
    options: { ttl_seconds: number; preempt: boolean; background?: boolean },
  ): Promise<Lease> {
    const { leases, clock } = this.#tables;
    const found = leases.get(name);
    const { background = false, preempt } = options;
    const isFree = found === null || found.released || clock.hasPassed(found.expires_at);
    const gives = found?.background === true && !background;
    if (!isFree && !gives && !preempt) throw heldBySomeone(name, found);
    const lease = { name, holder: this.#holder, token: (found?.token ?? 0) + 1 };
    const expires_at = clock.after(options.ttl_seconds);
    leases.put({ ...lease, acquired_at: clock.now(), expires_at, background, released: false });
    return lease;
  }

  async renew(lease: Lease, options: { ttl_seconds: number }): Promise<void> {
    const { leases, clock } = this.#tables;
    const found = requireNewest(this.#tables, lease);
    leases.put({ ...found, expires_at: clock.after(options.ttl_seconds) });
  }

  async release(lease: Lease): Promise<void> {
    const found = this.#tables.leases.get(lease.name);
    if (found?.token === lease.token) this.#tables.leases.put({ ...found, released: true });
  }
}

/**
 * A lease past its time that nobody else was granted still counts, for the token alone decides who may write.
 * @throws ConflictError when the lease was released or granted again since
 */
export function requireNewest({ leases }: Tables, lease: Lease): LeaseRow {
  const found = leases.get(lease.name);
  if (found !== null && found.token === lease.token && !found.released) return found;
  throw heldBySomeone(lease.name, found, lease);
}

function heldBySomeone(name: string, found: LeaseRow | null, expected?: Lease): ConflictError {
  const who =
    found === null || found.released
      ? "nobody holds it any more"
      : `${found.holder} holds it since ${found.acquired_at}, at most until ${found.expires_at}`;
  const what = expected === undefined ? `${name} is in use` : `Lease ${expected.token} of ${name} is over`;
  const { acquired_at: since, ...rest } = found ?? { acquired_at: null };
  return new ConflictError(`${what}: ${who}; try again later`, {
    details: { lease: name, ...(expected && { expected }), found: found && { ...rest, since } },
  });
}
