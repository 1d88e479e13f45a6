import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { AgentError } from "../../../agents/base/agent_error.ts";
import { ServiceRefusedError, ServiceUnavailableError } from "../../../agents/model_deployer/errors.ts";
import { SERVICE } from "../mlflow_errors.ts";

export interface ListedFile {
  /** Relative to the artifact, with forward slashes. */
  path: string;
  size: number | null;
}

export interface AskedArtifact {
  uri: string;
  root: string;
  files: ListedFile[];
  /** The same for everybody who asks for this artifact. */
  name: string;
  tell: (doing: string) => void;
}

export interface DownloadJob extends AskedArtifact {
  incoming: string;
  /** Bytes received so far, all files together. */
  bytes: number;
  /** Files that are complete. */
  whole: number;
}

const MEBIBYTE = 1024 ** 2;

/** `fetching 3 of 7 files, 120 of 800 MiB` */
export function fetchProgressText({ files, whole, bytes }: DownloadJob): string {
  const known = files.reduce((sum, { size }) => sum + (size ?? 0), 0);
  const far = `${Math.round(bytes / MEBIBYTE)} of ${Math.round(known / MEBIBYTE)} MiB`;
  return `fetching ${whole} of ${files.length} files${known < MEBIBYTE ? "" : `, ${far}`}`;
}

export function tooLong(uri: string, limitSeconds: number, cause: unknown): ServiceRefusedError {
  return new ServiceRefusedError(
    SERVICE,
    `${uri} was not fetched within MODEL_DEPLOYER_FETCH_SECONDS=${limitSeconds}; raise it and ask again, and it goes on with the files that have come.`,
    { cause },
  );
}

/** @param onBytes is called with the bytes received, and with a negative number when received bytes are discarded. */
export async function writeHashed(
  target: string,
  body: AsyncIterable<Uint8Array>,
  onBytes: (bytes: number) => void,
): Promise<{ sha256: string; bytes: number }> {
  const hash = createHash("sha256");
  let bytes = 0;
  const handle = await onDisk(target, () => open(target, "w", 0o600));
  try {
    for await (const piece of body) {
      bytes += piece.byteLength;
      onBytes(piece.byteLength);
      hash.update(piece);
      await onDisk(target, () => handle.writeFile(piece));
    }
  } catch (error) {
    onBytes(-bytes);
    throw error;
  } finally {
    await handle.close();
  }
  return { sha256: hash.digest("hex"), bytes };
}

/** Gives the file system's errors a type, so that a full disk is not taken for a silent server. */
export async function onDisk<T>(path: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof AgentError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new ServiceUnavailableError("artifact_folder", `${path} cannot be written: ${why}`, {
      cause: error,
    });
  }
}
