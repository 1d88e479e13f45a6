import { z } from "zod";
import { ConflictError, InvalidRequestError, NotFoundError } from "../../../agents/model_deployer/errors.ts";

/** Rows by their primary key. A row is replaced, never changed, so that a copy of the table is a copy of its map. */
export class Table<Row extends object> {
  readonly name: string;
  readonly #keyOf: (row: Row) => string;
  #rows = new Map<string, Row>();

  constructor(name: string, keyOf: (row: Row) => string) {
    this.name = name;
    this.#keyOf = keyOf;
  }

  get(key: string): Row | null {
    const row = this.#rows.get(key);
    return row === undefined ? null : structuredClone(row);
  }

  /** @throws NotFoundError as a foreign key does */
  require(key: string): Row {
    const row = this.get(key);
    if (row !== null) return row;
    throw new NotFoundError(`A row that is named does not exist: ${this.name} has no ${key}`);
  }

  /** In the order in which they were inserted. */
  where(matches: (row: Row) => boolean): Row[] {
    return [...this.#rows.values()].filter(matches).map((row) => structuredClone(row));
  }

  first(matches: (row: Row) => boolean): Row | null {
    return this.where(matches)[0] ?? null;
  }

  /** @throws ConflictError when the key is taken, InvalidRequestError for what Postgres cannot keep */
  insert(row: Row): void {
    const key = this.#keyOf(row);
    if (this.#rows.has(key)) throw taken(this.name, key);
    this.put(row);
  }

  /** @throws InvalidRequestError for what Postgres cannot keep */
  put(row: Row): void {
    refuseNul(this.name, row);
    this.#rows.set(this.#keyOf(row), structuredClone(row));
  }

  /** Does nothing when it is not there. */
  remove(row: Row): void {
    this.#rows.delete(this.#keyOf(row));
  }

  /** @throws ConflictError when another row has the same values in these columns */
  requireUnique(row: Row, columns: readonly (keyof Row)[]): void {
    const key = this.#keyOf(row);
    const twin = this.first(
      (other) => this.#keyOf(other) !== key && columns.every((column) => other[column] === row[column]),
    );
    if (twin !== null)
      throw taken(this.name, columns.map((column) => `${String(column)} ${String(row[column])}`).join(", "));
  }

  /** @returns what brings back the rows as they are now */
  snapshot(): () => void {
    const rows = new Map(this.#rows);
    return () => {
      this.#rows = rows;
    };
  }
}

function taken(table: string, key: string): ConflictError {
  return new ConflictError(`Somebody else was first: ${table} has ${key} already`, { details: { table } });
}

/** The value as a jsonb column gives it back: without what is undefined. */
export function jsonObject(value: Record<string, unknown>): Record<string, unknown> {
  return z.record(z.string(), z.unknown()).parse(JSON.parse(JSON.stringify(value)));
}

/** Neither text nor jsonb holds a NUL. */
function refuseNul(table: string, row: object): void {
  JSON.stringify(row, (key, value: unknown) => {
    if (key.includes("\0") || (typeof value === "string" && value.includes("\0"))) {
      throw new InvalidRequestError(`Postgres refused a value: ${table} cannot hold a NUL character`);
    }
    return value;
  });
}

/** A CHECK constraint, by the name that it has in the migrations. @throws InvalidRequestError */
export function check(holds: boolean, constraint: string): void {
  if (holds) return;
  throw new InvalidRequestError(`Postgres refused a value: it violates ${constraint}`, {
    details: { constraint },
  });
}
