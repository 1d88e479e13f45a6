import { execa } from "execa";
import { childEnvironment, variablesNamed } from "../../../src/platform/processes/child_environment.ts";

/** Variables that npm needs to reach a registry through proxies, mirrors and certificates of the machine's own. */
const REACHING = /^(NPM_CONFIG_.*|NODE_EXTRA_CA_CERTS|SSL_CERT_(FILE|DIR)|(HTTPS?|NO)_PROXY)$/i;

const QUIETLY = ["--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel", "error"];
/** A download that stalls is given up and asked for again long before the caller's time is over. */
const PATIENTLY = ["--fetch-timeout=20000", "--fetch-retries=5", "--fetch-retry-mintimeout=1000"];

/** @param words packages, and options of `npm install` */
export async function npmInstall(words: string[], directory: string): Promise<void> {
  await execa("npm", ["install", ...QUIETLY, ...PATIENTLY, ...words], {
    cwd: directory,
    env: childEnvironment(variablesNamed(REACHING)),
    extendEnv: false,
    timeout: 900_000,
  });
}
