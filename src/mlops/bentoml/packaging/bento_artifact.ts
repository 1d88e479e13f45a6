import { constants, copyFile, link, mkdir, readdir, rename, stat } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { EndpointCreationError } from "../../../agents/model_deployer/errors.ts";
import { digestOfFile, digestOfFiles, type HashedFile } from "../../shared/artifact_digest.ts";

export interface ArtifactFile {
  /** Relative to the artifact's folder, with `/` on every system. */
  path: string;
  size: number;
}

/**
 * The files of an artifact, sorted by path.
 *
 * @throws EndpointCreationError for a folder that cannot be read, and for links, whose target no digest covers.
 */
export async function listArtifact(directory: string): Promise<ArtifactFile[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(
    (cause: unknown) => {
      throw new EndpointCreationError(`artifact folder ${directory} cannot be read: fetch it again`, {
        cause,
      });
    },
  );
  const files = await Promise.all(
    entries.map(async (entry) => {
      const absolute = join(entry.parentPath, entry.name);
      const path = relative(directory, absolute).split(sep).join("/");
      if (entry.isDirectory()) return null;
      if (!entry.isFile()) {
        throw new EndpointCreationError(
          `artifact file ${path} is no regular file: log the model with real files`,
        );
      }
      return { path, size: (await stat(absolute)).size };
    }),
  );
  return files.filter((file) => file !== null).sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** The files of an artifact with what is in them. @throws EndpointCreationError as `listArtifact` */
export async function hashArtifact(directory: string): Promise<HashedFile[]> {
  const hashed: HashedFile[] = [];
  for (const { path } of await listArtifact(directory)) {
    hashed.push({ path, sha256: await digestOfFile(join(directory, path)) });
  }
  return hashed;
}

/** The digest of the files that lie in a folder now, by which a registered artifact is pinned. */
export async function digestArtifact(directory: string): Promise<string> {
  return digestOfFiles(await hashArtifact(directory));
}

/** Puts the artifact's files under `target`, as hard links where the file system allows it. */
export async function placeArtifact(directory: string, target: string): Promise<void> {
  for (const file of await listArtifact(directory)) {
    const destination = join(target, file.path);
    await mkdir(dirname(destination), { recursive: true });
    await link(join(directory, file.path), destination).catch(() =>
      copyFile(join(directory, file.path), destination, constants.COPYFILE_FICLONE),
    );
  }
}

/**
 * Makes equal files of two folders one file with two names, so that they take their room once. Where the file system has
 * no hard links the copies stay.
 */
export async function shareArtifact(directory: string, copies: string): Promise<void> {
  for (const { path } of await listArtifact(directory)) {
    const shared = join(copies, `${path}.shared`);
    const isLinked = await link(join(directory, path), shared).then(
      () => true,
      () => false,
    );
    if (isLinked) await rename(shared, join(copies, path));
  }
}
