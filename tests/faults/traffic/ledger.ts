import type { WeightSet } from "../../../src/agents/model_deployer/domain/entities.ts";

const GENERATIONS = 8_192;
const DEPLOYMENTS = 1_024;
const IDLE = 2 ** 31 - 1;
const COUNTERS = ["published", "acknowledged", "answered", "windows", "epoch", "switches", "isOver"] as const;
type Counter = (typeof COUNTERS)[number];

export interface LedgerMemory {
  counters: SharedArrayBuffer;
  weights: SharedArrayBuffer;
  slots: SharedArrayBuffer;
}

/**
 * Who may answer when, in memory that all threads share: a caller that reads it before it asks, and again when it has its
 * answer, knows what was acknowledged before and what was published until then, with no message on its way between them.
 * Deployments are named `u0`, `u1`, and so on.
 */
export class TrafficLedger {
  readonly memory: LedgerMemory;
  readonly #counters: Int32Array;
  readonly #weights: Uint8Array;
  readonly #slots: Int32Array;

  constructor(memory: LedgerMemory) {
    this.memory = memory;
    this.#counters = new Int32Array(memory.counters);
    this.#weights = new Uint8Array(memory.weights);
    this.#slots = new Int32Array(memory.slots);
  }

  static withSlots(callers: number): TrafficLedger {
    const ledger = new TrafficLedger({
      counters: new SharedArrayBuffer(COUNTERS.length * 4),
      weights: new SharedArrayBuffer(GENERATIONS * DEPLOYMENTS),
      slots: new SharedArrayBuffer(callers * 4),
    });
    ledger.#slots.fill(IDLE);
    return ledger;
  }

  // ---------------------------------------------------------------- who switches

  /** Before a generation is applied: from now on it may answer. */
  publish(generation: number, weights: WeightSet): void {
    if (generation >= GENERATIONS)
      throw new RangeError(`generation ${generation} has no place in the ledger`);
    for (const [name, weight] of Object.entries(weights)) this.#weights[cellOf(generation, name)] = weight;
    Atomics.store(this.#counters, indexOf("published"), Math.max(this.read("published"), generation));
  }

  /** After it was acknowledged: what older generations alone gave weight to may answer nobody who asks from now on. */
  acknowledge(generation: number): void {
    Atomics.store(this.#counters, indexOf("acknowledged"), generation);
  }

  add(counter: Counter): number {
    return Atomics.add(this.#counters, indexOf(counter), 1) + 1;
  }

  read(counter: Counter): number {
    return Atomics.load(this.#counters, indexOf(counter));
  }

  /** True when every request that was on its way when `epoch` began has ended. */
  isPast(epoch: number): boolean {
    return this.#slots.every((_, slot) => Atomics.load(this.#slots, slot) >= epoch);
  }

  // ---------------------------------------------------------------- who calls

  enter(slot: number): void {
    Atomics.store(this.#slots, slot, this.read("epoch"));
  }

  leave(slot: number): void {
    Atomics.store(this.#slots, slot, IDLE);
  }

  weightOf(generation: number, name: string): number {
    return this.#weights[cellOf(generation, name)] ?? 0;
  }
}

function cellOf(generation: number, name: string): number {
  return generation * DEPLOYMENTS + (Number(name.slice(1)) % DEPLOYMENTS);
}

function indexOf(counter: Counter): number {
  return COUNTERS.indexOf(counter);
}
