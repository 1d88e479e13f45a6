/** As the package's `engines` say it. */
const LEAST = { major: 22, minor: 19 };

/** Why this Node cannot run the program, and what can be done; null where it can. */
export function nodeProblem(version: string): string | null {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > LEAST.major || (major === LEAST.major && minor >= LEAST.minor)) return null;
  return (
    `model-deployer runs on Node ${LEAST.major}.${LEAST.minor} or newer, and this one is ${version}: install a newer one, ` +
    "or let npm bring it by `npx --package node@24 --package model-deployer model-deployer`, followed by the command."
  );
}
