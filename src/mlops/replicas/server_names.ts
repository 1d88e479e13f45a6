import { EndpointCreationError } from "../../agents/model_deployer/errors.ts";

/** The name of one of a deployment's servers, counted from 1; the first is named as its deployment. */
export const replicaOf = (deploymentId: string, replica: number): string =>
  replica === 1 ? deploymentId : `${deploymentId}.replica-${replica}`;

/** The number of the server that this name belongs to, whichever of its servers it is. */
export const replicaNumber = (name: string): number =>
  Number(/\.replica-(\d+)(?:\.next|\.former)?$/.exec(name)?.[1] ?? 1);

/** The name of the server that is to replace the one of this name. */
export const nextOf = (name: string): string => `${name}.next`;
/** A server under that name has no callers yet: one that does not become ready may be ended. */
export const isNext = (name: string): boolean => name.endsWith(".next");
export const formerOf = (name: string): string => `${name}.former`;
const isFormer = (name: string): boolean => name.endsWith(".former");
/** Neither one that is to come nor one that is to go. */
export const isPresent = (name: string): boolean => !isNext(name) && !isFormer(name);
/** The server that the former or next one of this name stands beside. */
export const presentOf = (name: string): string => name.replace(/\.(next|former)$/, "");

/** The deployment that a server belongs to, whichever of its servers it is. */
export const deploymentOf = (name: string): string => presentOf(name).replace(/\.replica-\d+$/, "");

/** @throws EndpointCreationError */
export function assertServedId(deploymentId: string): void {
  if (/^[A-Za-z0-9_][A-Za-z0-9._-]{0,179}$/.test(deploymentId)) return;
  throw new EndpointCreationError(
    `deployment id ${JSON.stringify(deploymentId.slice(0, 200))} cannot name a server: use letters, digits, ".", "_" and "-", at most 180`,
  );
}
