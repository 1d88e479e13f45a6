import { childEnvironment, variablesNamed } from "../../processes/child_environment.ts";
import { withoutPassword } from "./configured_places.ts";

const installVariables =
  /^(PIP_.*|UV_.*|XDG_(CACHE|CONFIG|DATA)_HOME|NETRC|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|(HTTPS?|ALL|NO)_PROXY)$/i;

/**
 * Variables that pip and uv need to reach an index through proxies, mirrors and own certificates, and none that changes
 * where packages are installed. They may hold the index's password, so no package's code runs with them.
 */
export function installEnvironment(): Record<string, string> {
  return {
    ...childEnvironment(variablesNamed(installVariables)),
    // uv reads none of pip's settings, so that a mirror named for pip alone would be missed.
    ...mirrorForUv(),
    ...wheelsForUv(),
    ...moreIndexesForUv(),
    PIP_DISABLE_PIP_VERSION_CHECK: "1",
    PIP_NO_INPUT: "1",
    PIP_USER: "0",
    ...alike,
  };
}

const alike = { UV_NO_PROGRESS: "1", UV_PYTHON_DOWNLOADS: "never", NO_COLOR: "1" };

/** Where packages are and how they are reached; none of these variables may hold a password. */
const openVariables =
  /^(UV_(DEFAULT_INDEX|INDEX|INDEX_URL|EXTRA_INDEX_URL|INDEX_STRATEGY|FIND_LINKS|HTTP_TIMEOUT|NATIVE_TLS|SYSTEM_CERTS|INSECURE_HOST|OFFLINE|EXCLUDE_NEWER)|SSL_CERT_(FILE|DIR)|(HTTPS?|ALL|NO)_PROXY)$/i;

/** The same for a package that is built from its source: no password, and `folder` for all that it writes. */
export function buildEnvironment(folder: string): Record<string, string> {
  const { PATH = "/usr/bin:/bin", LANG = "C.UTF-8", ...all } = installEnvironment();
  const open = Object.entries(all).flatMap(([name, value]) =>
    openVariables.test(name) ? [[name, withoutPassword(value)] as const] : [],
  );
  return {
    ...Object.fromEntries(open),
    ...{ PATH, LANG, HOME: folder, TMPDIR: folder, UV_CACHE_DIR: `${folder}/uv`, ...alike },
  };
}

/** Paths of this machine that building needs: certificates, and folders of wheels. */
export function indexPaths(): string[] {
  const { UV_FIND_LINKS = "", SSL_CERT_FILE, SSL_CERT_DIR } = installEnvironment();
  const indexes = Object.entries(installEnvironment()).flatMap(([name, value]) =>
    /INDEX/.test(name) ? value.split(/[\s,]+/) : [],
  );
  const files = indexes.flatMap((one) => (one.startsWith("file://") ? new URL(one).pathname : []));
  const named = [...UV_FIND_LINKS.split(/[\s,]+/), SSL_CERT_FILE, SSL_CERT_DIR, ...files];
  return named.filter((path) => path?.startsWith("/") === true).filter((path) => path !== undefined);
}

function wheelsForUv(): Record<string, string> {
  const folder = process.env["PIP_FIND_LINKS"];
  return folder === undefined || process.env["UV_FIND_LINKS"] !== undefined ? {} : { UV_FIND_LINKS: folder };
}

function mirrorForUv(): Record<string, string> {
  const mirror = process.env["PIP_INDEX_URL"];
  const chosen = process.env["UV_DEFAULT_INDEX"] ?? process.env["UV_INDEX_URL"];
  return mirror === undefined || chosen !== undefined ? {} : { UV_DEFAULT_INDEX: mirror };
}

function moreIndexesForUv(): Record<string, string> {
  const more = process.env["PIP_EXTRA_INDEX_URL"];
  const chosen = process.env["UV_INDEX"] ?? process.env["UV_EXTRA_INDEX_URL"];
  return more === undefined || chosen !== undefined ? {} : { UV_INDEX: more };
}
