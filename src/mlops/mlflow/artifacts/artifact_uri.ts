import { ArtifactRejectedError } from "../../../agents/model_deployer/errors.ts";
import { isModelName, isRunId } from "../name_rules.ts";

export type ArtifactUri =
  | { kind: "run"; run_id: string; path: string }
  | { kind: "model_version"; name: string; version: number }
  | { kind: "logged_model"; model_id: string }
  /** A path under the tracking server's artifact root. */
  | { kind: "stored"; path: string };

const ALLOWED =
  "Allowed are runs:/<run id>/<path>, models:/<name>/<version>, models:/<model id> and mlflow-artifacts:/<path>.";
const MAXIMUM_LENGTH = 2_000;

/** Understands an artifact URI, or refuses it; makes no call. @throws ArtifactRejectedError */
export function parseArtifactUri(uri: string): ArtifactUri {
  if (uri.length > MAXIMUM_LENGTH) throw rejected(uri, `is longer than ${MAXIMUM_LENGTH} characters`);
  refuseUnsafeCharacters(uri);
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(uri)?.[1];
  if (scheme === undefined) throw rejected(uri, "has no scheme");
  if (!["runs", "models", "mlflow-artifacts"].includes(scheme)) {
    throw rejected(uri, `has the scheme ${JSON.stringify(scheme)}, which is not allowed`);
  }
  const rest = uri.slice(scheme.length + 1);
  if (!rest.startsWith("/") || rest.startsWith("//")) {
    throw rejected(uri, "must have exactly one slash after its scheme, and no host");
  }
  const segments = rest.replace(/\/$/, "").slice(1).split("/");
  if (segments.some((segment) => segment === "" || segment === ".")) {
    throw rejected(uri, "has an empty path, or an empty or '.' segment in it");
  }
  if (scheme === "runs") return runUri(uri, segments);
  if (scheme === "models") return modelUri(uri, segments);
  return { kind: "stored", path: segments.join("/") };
}

/**
 * Whether a name in a listing can be one file or folder of ours. MLflow decodes paths twice, so '%' never means itself.
 */
export function isSafeFileName(name: string): boolean {
  return (
    name !== "" && name !== "." && name !== ".." && name.length <= 255 && !UNSAFE_IN_FILE_NAME.test(name)
  );
}

const UNSAFE_IN_FILE_NAME = /[/\\%#\p{Cc}\p{Zl}\p{Zp}\p{Cs}]/u;

function refuseUnsafeCharacters(uri: string): void {
  if (uri.includes("..")) throw rejected(uri, "holds '..'");
  const unsafe = /[#?%@\\\p{Cc}\p{Zl}\p{Zp}\p{Cs}]/u.exec(uri)?.[0];
  if (unsafe !== undefined) throw rejected(uri, `holds ${JSON.stringify(unsafe)}`);
}

function runUri(uri: string, segments: string[]): ArtifactUri {
  const [runId, ...path] = segments;
  if (runId === undefined || !isRunId(runId)) throw rejected(uri, "names no run id");
  if (path.length === 0) throw rejected(uri, "names a run, but no path in it");
  return { kind: "run", run_id: runId, path: path.join("/") };
}

function modelUri(uri: string, segments: string[]): ArtifactUri {
  const [name, version, ...more] = segments;
  if (name !== undefined && version === undefined && /^m-[A-Za-z0-9]{1,64}$/.test(name)) {
    return { kind: "logged_model", model_id: name };
  }
  if (name === undefined || !isModelName(name) || more.length > 0) {
    throw rejected(uri, "names neither a model id nor a model with its version");
  }
  if (version === undefined || !/^[1-9]\d{0,9}$/.test(version)) {
    throw rejected(uri, "names no version by its number; stages and aliases move and are not taken");
  }
  return { kind: "model_version", name, version: Number(version) };
}

/** The URI is quoted, so that nothing in it can break a log line, and what looks like credentials is left out. */
function rejected(uri: string, why: string): ArtifactRejectedError {
  const shown = JSON.stringify(uri.slice(0, 200).replace(/\/\/[^/]*@/g, "//***@"));
  return new ArtifactRejectedError(`The artifact URI ${shown} ${why}. ${ALLOWED}`);
}
