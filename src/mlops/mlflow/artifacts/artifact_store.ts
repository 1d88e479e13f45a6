import { createHash } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  ArtifactRejectedError,
  ServiceRefusedError,
  ServiceUnavailableError,
} from "../../../agents/model_deployer/errors.ts";
import type { FetchedArtifact } from "../../../agents/model_deployer/ports/model_registry_port.ts";
import type { LongCallOptions } from "../../../agents/model_deployer/ports/call_options.ts";
import { withSharedWork } from "../../../platform/work/shared_work.ts";
import { digestOfFiles, type HashedFile } from "../../shared/artifact_digest.ts";
import {
  digestIfWhole,
  notePlaced,
  openIncomingFolder,
  placedSince,
  moveIntoPlace,
} from "./artifact_folder.ts";
import {
  type AskedArtifact,
  type DownloadJob,
  fetchProgressText,
  type ListedFile,
  onDisk,
  tooLong,
  writeHashed,
} from "./artifact_download.ts";
import { ArtifactLocator, type LocatedArtifact } from "./artifact_locator.ts";
import { isSafeFileName } from "./artifact_uri.ts";
import type { MLflowClient } from "../mlflow_client.ts";
import { SERVICE } from "../mlflow_errors.ts";

export interface ArtifactStoreOptions {
  client: MLflowClient;
  /** Holds one folder for each artifact, named by its digest. Made when missing. */
  directory: string;
  maximumFiles?: number;
  maximumBytes?: number;
  /** Limit for one artifact, `MODEL_DEPLOYER_FETCH_SECONDS`; an hour unless given. */
  limitSeconds?: number;
}

type StoredArtifact = Omit<FetchedArtifact, "signature">;

const PARALLEL_DOWNLOADS = 4;
const MAXIMUM_DEPTH = 32;

/** Downloads artifacts over MLflow's artifact service into content-addressed folders. */
export class ArtifactStore {
  readonly #client: MLflowClient;
  readonly #locator: ArtifactLocator;
  readonly #directory: string;
  readonly #maximumFiles: number;
  readonly #maximumBytes: number;
  readonly #limitSeconds: number;

  constructor(options: ArtifactStoreOptions) {
    this.#client = options.client;
    this.#locator = new ArtifactLocator(options.client);
    this.#directory = options.directory;
    this.#maximumFiles = options.maximumFiles ?? 10_000;
    this.#maximumBytes = options.maximumBytes ?? 8 * 1024 ** 3;
    this.#limitSeconds = options.limitSeconds ?? 3600;
  }

  /**
   * A URI that names one file gives a folder with that file in it.
   * @throws ArtifactRejectedError | NotFoundError | ServiceUnavailableError | ServiceRefusedError
   */
  async fetch(uri: string, options: LongCallOptions): Promise<StoredArtifact> {
    const { signal } = options;
    const askedAt = Date.now();
    const located = await this.#locator.locate(uri, signal);
    const { root, files } = await this.#list(uri, located, signal);
    const name = createHash("sha256").update(uri).digest("hex").slice(0, 20);
    const what = `the artifact ${uri}`;
    const limit = { limitSeconds: this.#limitSeconds, setting: "MODEL_DEPLOYER_FETCH_SECONDS" };
    const shared = { directory: this.#directory, name, what, ...limit };
    return await onDisk(this.#directory, () =>
      withSharedWork(shared, options, async (tell) => {
        const others = await placedSince(this.#directory, name, askedAt);
        return others ?? this.#fetchAlone({ uri, root, files, name, tell }, signal);
      }),
    );
  }

  /** Complete files stay when a fetch is cut, and the next fetch goes on with them. */
  async #fetchAlone(asked: AskedArtifact, signal: AbortSignal): Promise<StoredArtifact> {
    const over = AbortSignal.timeout(this.#limitSeconds * 1000);
    const paths = asked.files.map(({ path }) => path);
    const incoming = await openIncomingFolder(this.#directory, asked.name, paths);
    try {
      const job = { ...asked, incoming, bytes: 0, whole: 0 };
      const hashed = await this.#downloadAll(job, AbortSignal.any([signal, over]));
      const digest = digestOfFiles(hashed);
      const path = await moveIntoPlace(this.#directory, incoming, digest);
      await notePlaced(this.#directory, asked.name, digest);
      return { path, digest };
    } catch (error) {
      if (over.aborted && !signal.aborted) throw tooLong(asked.uri, this.#limitSeconds, error);
      if (error instanceof ServiceUnavailableError) throw error;
      await rm(incoming, { recursive: true, force: true });
      throw error;
    }
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

  async #downloadAll(job: DownloadJob, signal: AbortSignal): Promise<HashedFile[]> {
    const waiting = [...job.files];
    const hashed: HashedFile[] = [];
    const stop = new AbortController();
    const limit = AbortSignal.any([signal, stop.signal]);
    const work = async (): Promise<void> => {
      try {
        for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
          hashed.push({ path: file.path, sha256: await this.#have(job, file, limit) });
          job.whole += 1;
          job.tell(fetchProgressText(job));
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

  /** The file's sha256 in hex; a file that is complete already is not fetched again. */
  async #have(job: DownloadJob, file: ListedFile, signal: AbortSignal): Promise<string> {
    const sha256 = await digestIfWhole(join(job.incoming, file.path), file.size);
    if (sha256 === null) return this.#download(job, file, signal);
    job.bytes += file.size ?? 0;
    return sha256;
  }

  async #download(job: DownloadJob, file: ListedFile, signal: AbortSignal): Promise<string> {
    const target = join(job.incoming, file.path);
    await onDisk(target, () => mkdir(dirname(target), { recursive: true }));
    const onBytes = (bytes: number): void => {
      job.bytes += bytes;
      this.#checkLimits(job.uri, job.files.length, job.bytes);
      job.tell(fetchProgressText(job));
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
