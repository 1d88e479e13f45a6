import { join } from "node:path";
import { ServiceUnavailableError } from "../../agents/model_deployer/errors.ts";
import { ensureBuilt, environmentDirectory, type EnvironmentOptions } from "./built_environment.ts";
import { inspectPython } from "./python_interpreter.ts";

/** model-signing imports pyOpenSSL and names it nowhere. */
const signingRequirements = [
  "model-signing==1.1.1",
  "sigstore==4.5.1",
  "cryptography==50.0.2",
  "pyopenssl==26.4.0",
];

export interface SigningEnvironment {
  directory: string;
  python: string;
  /** The program that signs models, beside the library that verifies them. */
  modelSigning: string;
}

/**
 * The environment in which signatures of models are verified, apart from the tools' since few installations need it.
 * Made when it is missing; afterwards it answers without the network.
 * @throws ConfigurationError as `inspectPython`; ServiceUnavailableError when it can't be made, or when the signal ends the waiting
 */
export async function ensureSigningEnvironment({
  uv,
  ...options
}: EnvironmentOptions & { uv: string }): Promise<SigningEnvironment> {
  const python = await inspectPython(options.signal);
  const directory = environmentDirectory(options, "signing", signingRequirements, python);
  const programs = {
    python: join(directory, "bin", "python"),
    modelSigning: join(directory, "bin", "model_signing"),
  };
  const commands = [
    [python.executable, "-m", "venv", directory],
    [uv, "pip", "install", "--python", programs.python, ...signingRequirements],
  ];
  const purpose = "the environment that verifies signatures";
  await ensureBuilt({ directory, purpose, commands, warmUp: [], python, options }, (why) => {
    return new ServiceUnavailableError("python packages", `${purpose} cannot be made: ${why}`);
  });
  return { directory, ...programs };
}
