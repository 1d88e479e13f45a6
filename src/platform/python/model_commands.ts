import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { contained, type ContainmentPolicy, isolationFor } from "../containment/containment.ts";
import { buildEnvironment } from "./requirements/index_settings.ts";
import { type PythonInterpreter, pythonFolder } from "./python_interpreter.ts";
import { type RequirementLock, WHEELS } from "./requirements/requirement_lock.ts";
import {
  addressOf,
  inContainment,
  inNewFolder,
  withoutFolder,
  withVariables,
  writeWhole,
} from "./requirements/resolved_requirements.ts";

/**
 * Modules that the start of a server and of a model imports, compiled beforehand where the environment has them: a
 * contained server cannot write there, and would compile the rest anew at each start.
 */
const importedAtStart = [
  ...["uvicorn", "starlette.routing", "prometheus_client", "mlflow.pyfunc", "mlflow.sklearn", "skops.io"],
  ...["sklearn.ensemble", "sklearn.linear_model", "sklearn.pipeline", "sklearn.compose", "sklearn.impute"],
  ...["sklearn.calibration", "sklearn.svm", "sklearn.neighbors"],
  ...["xgboost", "lightgbm", "catboost", "onnxruntime"],
];
const importEach = `
import contextlib, importlib, json, sys
for name in sys.argv[1:]:
    with contextlib.suppress(Exception):
        importlib.import_module(name)
print(json.dumps([str(getattr(one, "__file__", "")) for one in list(sys.modules.values())]))
`;
const compiler = fileURLToPath(new URL("./compile_imported.py", import.meta.url));
const PLACES = "import json, sysconfig; print(json.dumps({'site_packages': sysconfig.get_path('platlib')}))";

interface ModelCommandsInput {
  directory: string;
  python: PythonInterpreter;
  uv: string;
  lock: RequirementLock;
  wheels?: string;
  /** Requirements with hashes that name wheels of all packages; they are installed instead of what the lock names. */
  kept?: string;
  containment?: Pick<ContainmentPolicy, "isolation">;
}

/**
 * The commands that make a model's environment out of its lock. Wheels are unpacked, and run nothing. Packages that are built, and all
 * that runs with the environment's packages later, are contained and have no password of an index.
 * @throws ConfigurationError where an isolation is required that there is not
 */
export async function modelCommands(input: ModelCommandsInput) {
  const { directory, python, uv, containment } = input;
  const own = join(directory, "bin", "python");
  const scratch = `${directory}.scratch`;
  const isolation = containment === undefined ? "none" : await isolationFor(containment);
  /** The environment's Python with all its packages, which are code from elsewhere. */
  const isolated = async (args: string[]) => {
    const needs = { read: [directory, pythonFolder(python)], write: [scratch], port: null };
    const { command, args: all } =
      isolation === "none"
        ? { command: own, args }
        : await contained({ command: own, args }, needs, { network: [] });
    return withVariables(buildEnvironment(scratch), [command, ...all]);
  };
  const imports = await isolated(["-B", "-c", importEach, ...importedAtStart]);
  const compile = [own, "-I", "-S", compiler, directory, ...imports];
  return {
    commands: [
      [uv, "venv", "--quiet", "--python", python.executable, directory],
      ...(await installation(input, scratch)),
    ],
    warmUp: [inNewFolder(python, scratch), compile, withoutFolder(python, scratch)],
    probe: await isolated(["-I", "-c", PLACES]),
  };
}

async function installation(
  { directory, python, uv, lock, wheels, kept, containment }: ModelCommandsInput,
  scratch: string,
): Promise<string[][]> {
  const file = `${directory}.lock.txt`;
  await mkdir(dirname(directory), { recursive: true });
  await writeWhole(file, kept ?? lock.packages.replaceAll(WHEELS, addressOf(wheels)));
  // A repository has a commit instead of a hash, and is only there where references by address are allowed.
  const hashes = /@ git\+/.test(lock.packages) ? [] : ["--require-hashes"];
  const install = [
    uv,
    "pip",
    "install",
    "--python",
    join(directory, "bin", "python"),
    "--no-deps",
    ...hashes,
  ];
  if (kept !== undefined) {
    const alone = ["--require-hashes", "--no-build", "--offline", "--no-index", "-r", file];
    return [[...[uv, "pip", "install", "--python", join(directory, "bin", "python"), "--no-deps"], ...alone]];
  }
  if (!lock.builds) return [[...install, "--no-build", "-r", file]];
  const building = await inContainment([...install, "-r", file], {
    containment,
    scratch,
    read: [file, pythonFolder(python), ...(wheels === undefined ? [] : [wheels])],
    write: [directory],
  });
  return [inNewFolder(python, scratch), building, withoutFolder(python, scratch)];
}
