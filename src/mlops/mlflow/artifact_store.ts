import { createHash } from "node:crypto";
import { mkdir, open, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { AgentError } from "../../agents/base/agent_error.ts";
import {
  ArtifactRejectedError,
  ServiceRefusedError,
  ServiceUnavailableError,
} from "../../agents/model_deployer/errors.ts";
import type { FetchedArtifact } from "../../agents/model_deployer/ports.ts";
import { digestOfFiles, type HashedFile } from "../artifact_digest.ts";
import { openIncomingFolder, settleFolder } from "./artifact_folder.ts";
import { ArtifactLocator, type LocatedArtifact } from "./artifact_locator.ts";
import { isSafeFileName } from "./artifact_uri.ts";
import type { MLflowClient } from "./mlflow_client.ts";
import { SERVICE } from "./mlflow_errors.ts";

export interface ArtifactStoreOptions {
  client: MLflowClient;
  /** Holds one folder for each artifact, named by its digest. Made when missing. */
  directory: string;
  maximumFiles?: number;
  maximumBytes?: number;
}

interface ListedFile {
  /** Relative to the artifact, with forward slashes. */
  path: string;
  size: number | null;
}

interface Job {
  uri: string;
  root: string;
  files: ListedFile[];
  incoming: string;
  /** Received so far, all files together. */
  bytes: number;
}

const PARALLEL_DOWNLOADS = 4;
const MAXIMUM_DEPTH = 32;

/** Downloads artifacts over MLflow's artifact service into content-addressed folders. */
export class ArtifactStore {
  readonly #client: MLflowClient;
  readonly #locator: ArtifactLocator;
  readonly #directory: string;
  readonly #maximumFiles: number;
  readonly #maximumBytes: number;

  constructor(options: ArtifactStoreOptions) {
    this.#client = options.client;
    this.#locator = new ArtifactLocator(options.client);
    this.#directory = options.directory;
    this.#maximumFiles = options.maximumFiles ?? 10_000;
    this.#maximumBytes = options.maximumBytes ?? 8 * 1024 ** 3;
  }

  /**
   * A URI that names one file gives a folder with that file in it.
   * @throws ArtifactRejectedError | NotFoundError | ServiceUnavailableError | ServiceRefusedError
   */
  async fetch(uri: string, signal: AbortSignal): Promise<FetchedArtifact> {
    const located = await this.#locator.locate(uri, signal);
    const { root, files } = await this.#list(uri, located, signal);
    return await onDisk(this.#directory, async () => {
      const incoming = await openIncomingFolder(this.#directory);
      try {
        const hashed = await this.#downloadAll({ uri, root, files, incoming, bytes: 0 }, signal);
        const digest = digestOfFiles(hashed);
        return { path: await settleFolder(this.#directory, incoming, digest), digest };
      } catch (error) {
        await rm(incoming, { recursive: true, force: true });
        throw error;
      }
    });
  }

  /** Finds an artifact without downloading it. @throws ArtifactRejectedError | NotFoundError */
  async locate(uri: string, signal: AbortSignal): Promise<LocatedArtifact> {
    return await this.#locator.locate(uri, signal);
  }

  async #list(
    uri: string,
    located: LocatedArtifact,
    signal: AbortSignal,
  ): Promise<{ root: string; files: ListedFile[] }> {
    if (located.kind === "file") {
      const cut = located.path.lastIndexOf("/");
      return { root: located.path.slice(0, cut), files: [{ path: located.path.slice(cut + 1), size: null }] };
    }
    const files: ListedFile[] = [];
    let bytes = 0;
    const folders = [""];
    for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
      const entries = await this.#client.listArtifacts(`${located.path}${folder && `/${folder}`}`, signal);
      for (const entry of entries) {
        const path = this.#checkedPath(uri, folder, entry.path);
        if (entry.is_dir) folders.push(path);
        else files.push({ path, size: entry.file_size });
        bytes += entry.file_size ?? 0;
      }
      this.#checkLimits(uri, files.length + folders.length, bytes);
    }
    if (new Set(files.map(({ path }) => path)).size < files.length) {
      throw new ArtifactRejectedError(`${uri} is listed with the same file more than once.`);
    }
    if (files.length === 0) throw new ArtifactRejectedError(`${uri} has folders, but no file in them.`);
    return { root: located.path, files };
  }

  #checkedPath(uri: string, folder: string, name: string): string {
    if (!isSafeFileName(name)) {
      throw new ArtifactRejectedError(
        `${uri} holds a file named ${JSON.stringify(name.slice(0, 300))}, which cannot be kept safely; rename it and log it again.`,
      );
    }
    const path = folder === "" ? name : `${folder}/${name}`;
    if (path.split("/").length <= MAXIMUM_DEPTH) return path;
    throw new ArtifactRejectedError(`${uri} has folders nested deeper than ${MAXIMUM_DEPTH}.`);
  }

  #checkLimits(uri: string, files: number, bytes: number): void {
    if (files > this.#maximumFiles) {
      throw new ArtifactRejectedError(
        `${uri} has more than the ${this.#maximumFiles} files that are allowed.`,
      );
    }
    if (bytes > this.#maximumBytes) {
      throw new ArtifactRejectedError(
        `${uri} has more than the ${this.#maximumBytes} bytes that are allowed.`,
      );
    }
  }

  async #downloadAll(job: Job, signal: AbortSignal): Promise<HashedFile[]> {
    const waiting = [...job.files];
    const hashed: HashedFile[] = [];
    const stop = new AbortController();
    const limit = AbortSignal.any([signal, stop.signal]);
    const work = async (): Promise<void> => {
      try {
        for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
          hashed.push({ path: file.path, sha256: await this.#download(job, file, limit) });
        }
      } catch (error) {
        stop.abort(error);
      }
    };
    // All have ended before anything is thrown, so that nobody writes into a folder that is being removed.
    await Promise.all(Array.from({ length: PARALLEL_DOWNLOADS }, work));
    stop.signal.throwIfAborted();
    return hashed;
  }

  /** The file's sha256 in hex. */
  async #download(job: Job, file: ListedFile, signal: AbortSignal): Promise<string> {
    const target = join(job.incoming, file.path);
    await onDisk(target, () => mkdir(dirname(target), { recursive: true }));
    const onBytes = (bytes: number): void => {
      job.bytes += bytes;
      this.#checkLimits(job.uri, job.files.length, job.bytes);
    };
    const result = await this.#client.readArtifact(
      `${job.root}/${file.path}`,
      (body) => writeHashed(target, body, onBytes),
      signal,
    );
    if (file.size === null || file.size === result.bytes) return result.sha256;
    throw new ServiceRefusedError(
      SERVICE,
      `MLflow listed ${file.path} of ${job.uri} with ${file.size} bytes and sent ${result.bytes}; fetch it again when nobody writes to it.`,
    );
  }
}

/** @param onBytes takes what was received, and as a negative number what is given up again. */
async function writeHashed(
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
async function onDisk<T>(path: string, act: () => Promise<T>): Promise<T> {
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
