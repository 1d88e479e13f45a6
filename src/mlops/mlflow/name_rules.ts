import { createHash } from "node:crypto";
import { InvalidRequestError } from "../../agents/model_deployer/errors.ts";

/** Narrower than MLflow, which also takes quotes and newlines; what passes needs no quoting in a search. */
const MODEL_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/;
const RUN_ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;
/** MLflow's own rule, without the names it keeps for itself (`latest`, `v1`). */
const ALIAS = /^(?!latest$|v\d+$)[A-Za-z0-9_-]{1,255}$/i;
const PLAIN_KEY = /^[A-Za-z0-9._:-]{1,200}$/;

export const isModelName = (name: string): boolean => MODEL_NAME.test(name) && !name.includes("..");
export const isRunId = (runId: string): boolean => RUN_ID.test(runId);

/** @throws InvalidRequestError */
export function checkModelName(name: string): void {
  if (isModelName(name)) return;
  throw new InvalidRequestError(
    `${JSON.stringify(name.slice(0, 200))} is no name for a registered model; use letters, digits, '.', '_' and '-', ` +
      "beginning with a letter or digit, at most 200 characters, without '..'.",
  );
}

/** @throws InvalidRequestError */
export function checkRunId(runId: string): void {
  if (isRunId(runId)) return;
  throw new InvalidRequestError(
    `${JSON.stringify(runId.slice(0, 200))} is no MLflow run id; it has letters, digits, '_' and '-' only, at most 64.`,
  );
}

/** @throws InvalidRequestError */
export function checkVersion(version: number): void {
  if (Number.isSafeInteger(version) && version >= 1) return;
  throw new InvalidRequestError(`${version} is no version number; versions are whole numbers from 1.`);
}

/** @throws InvalidRequestError */
export function checkAlias(alias: string): void {
  if (ALIAS.test(alias)) return;
  throw new InvalidRequestError(
    `${JSON.stringify(alias.slice(0, 300))} cannot be an alias; use letters, digits, '_' and '-', at most 255, ` +
      "and neither 'latest' nor 'v' with a number.",
  );
}

/** The tag value that stands for a request key: the key where it is plain, else its hash, so that a search needs no quoting. */
export function requestTag(requestKey: string): string {
  if (PLAIN_KEY.test(requestKey)) return requestKey;
  return `sha256:${createHash("sha256").update(requestKey).digest("hex")}`;
}
