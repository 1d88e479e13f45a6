import { z } from "zod";
import {
  type ModelDeployerError,
  ServiceRefusedError,
  ServiceUnavailableError,
} from "../../../agents/model_deployer/errors.ts";
import { parsedJson } from "../../../platform/parsed_json.ts";

/** This part's name in errors. */
export const SERVICE = "kubernetes";

const statusSchema = z.object({
  kind: z.literal("Status"),
  message: z.string().default(""),
  reason: z.string().default(""),
});

export interface RefusedCall {
  /** `POST /apis/apps/v1/namespaces/models/deployments`. */
  call: string;
  status: number;
  body: string;
}

/** The API server's words on a call that it did not carry out. An answer that is no Status is shown as it is. */
export function statusMessageIn(body: string): { message: string; reason: string } {
  const said = statusSchema.safeParse(parsedJson(body));
  return said.success ? said.data : { message: body.trim().slice(0, 300), reason: "" };
}

/** The error for an answer that is neither a success nor an outcome that a caller decides by. */
export function errorFromAnswer({ call, status, body }: RefusedCall): ModelDeployerError {
  const { message, reason } = statusMessageIn(body);
  const details = { status, reason };
  const said = message === "" ? reason : message;
  // Admission, such as a quota's, lost to a change of the same moment; asked again it can.
  if (status === 409 || status === 429 || status >= 500) {
    return new ServiceUnavailableError(SERVICE, `${call} was answered with ${status}: ${said}`, { details });
  }
  return new ServiceRefusedError(
    SERVICE,
    `${call} was refused with ${status}: ${said}${wayOut(status, said)}`,
    {
      details,
    },
  );
}

function wayOut(status: number, said: string): string {
  const namespace = /^namespaces "([^"]*)" not found/.exec(said)?.[1];
  if (namespace !== undefined) {
    return `; make it by \`kubectl create namespace ${namespace}\`, or name another one by MODEL_DEPLOYER_KUBERNETES_NAMESPACE`;
  }
  if (status === 401) return "; the credentials are not accepted: log in again, or renew the token";
  if (status === 403) return "; `model-deployer manifests` prints the rights that are needed";
  return "";
}
