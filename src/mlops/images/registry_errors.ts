import { ServiceRefusedError, ServiceUnavailableError } from "../../agents/model_deployer/errors.ts";
import { parsedJson } from "../../platform/parsed_json.ts";
import { z } from "zod";

/** This part's name in errors. */
export const REGISTRY = "image registry";

const errorsSchema = z.object({
  errors: z.array(z.object({ code: z.string().default(""), message: z.string().default("") })).min(1),
});

export interface RegistryAnswer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

/** The error for an answer that is neither a success nor an outcome that a caller decides by. */
export function errorFromRegistry(
  what: string,
  { status, body }: RegistryAnswer,
): ServiceRefusedError | ServiceUnavailableError {
  const said = errorsSchema.safeParse(parsedJson(body));
  const words = said.success
    ? said.data.errors.map(({ code, message }) => `${code} ${message}`.trim()).join("; ")
    : body.trim().slice(0, 200);
  const message = `${what} was answered with ${status}: ${words === "" ? "no reason" : words}`;
  const details = { status };
  if (status === 429 || status >= 500) return new ServiceUnavailableError(REGISTRY, message, { details });
  const wayOut =
    status === 401 || status === 403
      ? "; log in with `docker login`, as an account that may push to MODEL_DEPLOYER_IMAGE_REPOSITORY"
      : "";
  return new ServiceRefusedError(REGISTRY, `${message}${wayOut}`, { details });
}

export function noRegistry(what: string, { status, body }: RegistryAnswer): ServiceRefusedError {
  const isPage = /^\s*</.test(body);
  const said = isPage ? "a page of HTML" : "something else than a registry's answer";
  return new ServiceRefusedError(
    REGISTRY,
    `${what} was answered with ${status} and ${said}: is the host in MODEL_DEPLOYER_IMAGE_REPOSITORY and MODEL_DEPLOYER_IMAGE_BASE that of a registry?`,
    { details: { status, body: body.slice(0, 200) } },
  );
}
