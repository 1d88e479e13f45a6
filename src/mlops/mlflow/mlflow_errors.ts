import { z } from "zod";
import {
  NotFoundError,
  ServiceRefusedError,
  ServiceUnavailableError,
} from "../../agents/model_deployer/errors.ts";
import type { AgentError } from "../../agents/base/agent_error.ts";
import { parsedJson } from "../../platform/parsed_json.ts";

export const SERVICE = "mlflow";

const errorBodySchema = z.object({ error_code: z.string(), message: z.string().default("") });
const routerErrorSchema = z.object({ detail: z.string() });

export interface FailedAnswer {
  /** Such as `GET runs/get`; never holds a query, a body or a header. */
  call: string;
  origin: string;
  status: number;
  body: string;
}

/** Turns an answer that is no success into one of our errors; `details` holds the status and MLflow's error code. */
export function errorFromAnswer(answer: FailedAnswer): AgentError {
  const { error_code, message } = explanationOf(answer.body);
  const details = { status: answer.status, error_code };
  const said = `MLflow at ${answer.origin} answered ${answer.status} to ${answer.call}: ${message}`;
  if (answer.status >= 500 || answer.status === 429 || answer.status === 408) {
    return new ServiceUnavailableError(SERVICE, said, { details });
  }
  if (error_code === "RESOURCE_DOES_NOT_EXIST") return new NotFoundError(said, { details });
  if (answer.status === 401 || answer.status === 403) {
    return new ServiceRefusedError(
      SERVICE,
      `${said}. Check the credentials and the server's allowed hosts.`,
      {
        details,
      },
    );
  }
  return new ServiceRefusedError(SERVICE, said, { details });
}

/** True when MLflow refused because the thing is there already. */
export function alreadyExists(error: unknown): boolean {
  return error instanceof ServiceRefusedError && error.details["error_code"] === "RESOURCE_ALREADY_EXISTS";
}

/** Null in place of NotFoundError. */
export async function orNullWhenMissing<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof NotFoundError) return null;
    throw error;
  }
}

/** Bodies may be MLflow's own JSON, the artifact router's JSON, plain text or HTML. */
function explanationOf(body: string): { error_code: string | null; message: string } {
  const parsed = parsedJson(body);
  const own = errorBodySchema.safeParse(parsed);
  if (own.success) return { error_code: own.data.error_code, message: shorten(own.data.message) };
  const router = routerErrorSchema.safeParse(parsed);
  if (router.success) return { error_code: null, message: shorten(router.data.detail) };
  return { error_code: null, message: shorten(body) || "no explanation" };
}

function shorten(text: string): string {
  const oneLine = text.replace(/[\u0000-\u001f\u007f\s]+/g, " ").trim();
  return oneLine.length > 300 ? `${oneLine.slice(0, 300)} ...` : oneLine;
}
