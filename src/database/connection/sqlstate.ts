import pg from "pg";
import { AgentError } from "../../agents/base/agent_error.ts";
import { diskFull } from "../../agents/model_deployer/file_errors.ts";
import {
  ConfigurationError,
  ConflictError,
  InvalidApprovalError,
  InvalidPromotionPathError,
  InvalidRequestError,
  NotAuthenticatedError,
  NotFoundError,
  NotPermittedError,
  ServiceRefusedError,
  ServiceUnavailableError,
} from "../../agents/model_deployer/errors.ts";

/** Serialization failure and deadlock: the same transaction may succeed when it is run again. */
const REPEATABLE = new Set(["40001", "40P01"]);

/**
 * SQLSTATEs (https://www.postgresql.org/docs/current/errcodes-appendix.html) that say that the server could not
 * work, not that the statement was wrong: connection, resources, operator intervention, a cancelled statement.
 */
const UNAVAILABLE = /^(08|53|57|58|XX)/;

const DISK_FULL = "53100";

export function isServerDiskFull(error: unknown): boolean {
  return sqlState(error) === DISK_FULL;
}

export function isRepeatable(error: unknown): boolean {
  const state = sqlState(error);
  return state !== null && REPEATABLE.has(state);
}

function sqlState(error: unknown): string | null {
  return error instanceof pg.DatabaseError ? (error.code ?? null) : null;
}

/** Facts for `details`; values of rows are left out. */
function factsOf(error: pg.DatabaseError): Record<string, unknown> {
  return { sqlstate: error.code, table: error.table ?? null, constraint: error.constraint ?? null };
}

function fromTrigger(error: pg.DatabaseError): AgentError | null {
  const options = { cause: error, details: factsOf(error) };
  switch (error.code) {
    case "MD001":
    case "MD006":
      return new ConflictError(`Postgres refused the change: ${error.message}`, {
        ...options,
        retryable: false,
      });
    case "MD003":
      return new ConflictError(`Postgres refused the change: ${error.message}`, options);
    case "MD002":
      return new InvalidPromotionPathError(error.message, options);
    case "MD004":
      return new InvalidApprovalError(error.message, options);
    case "MD005":
      return new InvalidRequestError(error.message, options);
    case "MD007":
      return new NotPermittedError(
        `${error.message}; an administrator grants roles: model-deployer principals grant`,
        options,
      );
    case "MD008":
      return new NotAuthenticatedError(`${error.message}; enrol one, or check the token`, options);
    default:
      return null;
  }
}

/** A pooler that answers in Postgres' place; https://www.pgbouncer.org/config.html#ignore_startup_parameters */
const REFUSED_PARAMETER = /unsupported startup parameter(?: in options)?: (\S+)/;

function fromState(error: pg.DatabaseError): AgentError {
  const state = error.code ?? "";
  const options = { cause: error, details: factsOf(error) };
  const parameter = REFUSED_PARAMETER.exec(error.message)?.[1];
  if (parameter !== undefined) {
    const wayOut = "take it out of the address and set it for the role instead: alter role ... set ...";
    return new ConfigurationError(
      `The pooler before Postgres refuses ${parameter} of DATABASE_URL: ${wayOut}`,
      options,
    );
  }
  if (state === DISK_FULL) return diskFull("Postgres' data", options);
  if (UNAVAILABLE.test(state)) {
    return new ServiceUnavailableError("postgres", `Postgres could not answer: ${error.message}`, options);
  }
  if (state === "23505" || state === "55P03" || REPEATABLE.has(state)) {
    return new ConflictError(`Somebody else was first: ${error.message}`, options);
  }
  if (state === "23503") {
    return new NotFoundError(`A row that is named does not exist: ${error.message}`, options);
  }
  if (state === "42501") {
    const wayOut = "let an administrator do this, with the DATABASE_URL of the tables' owner";
    return new ServiceRefusedError(
      "postgres",
      `Postgres does not allow it: ${error.message}; ${wayOut}`,
      options,
    );
  }
  if (state.startsWith("22") || state.startsWith("23")) {
    return new InvalidRequestError(`Postgres refused a value: ${error.message}`, options);
  }
  return new ServiceRefusedError("postgres", `Postgres refused the statement: ${error.message}`, options);
}

/** The message of pg-pool when all connections are in use; an unreachable server has another message. */
const NO_FREE_CONNECTION = "timeout exceeded when trying to connect";

/** The typed error for whatever `pg` raised; our own errors pass through. */
export function toAgentError(error: unknown): AgentError {
  if (error instanceof AgentError) return error;
  if (error instanceof pg.DatabaseError) return fromTrigger(error) ?? fromState(error);
  const message = error instanceof Error ? error.message : String(error);
  if (message === NO_FREE_CONNECTION) {
    const busy = "All connections of this process to Postgres were in use for too long";
    return new ServiceUnavailableError("postgres", `${busy}: ${message}. Ask again.`, { cause: error });
  }
  return new ServiceUnavailableError(
    "postgres",
    `Postgres does not answer: ${message}. Check DATABASE_URL and that the server runs.`,
    { cause: error },
  );
}
