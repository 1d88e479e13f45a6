import { childEnvironment } from "../../src/platform/child_environment.ts";

const installVariables = /^(NPM_CONFIG_.*|NODE_EXTRA_CA_CERTS|SSL_CERT_(FILE|DIR)|(HTTPS?|NO)_PROXY)$/i;

/** What npm needs to reach a registry through proxies, mirrors and certificates of the machine's own. */
export function npmEnvironment(): Record<string, string> {
  const named = Object.entries(process.env).flatMap(([name, value]) =>
    value !== undefined && installVariables.test(name) ? [[name, value] as const] : [],
  );
  return childEnvironment(Object.fromEntries(named));
}
