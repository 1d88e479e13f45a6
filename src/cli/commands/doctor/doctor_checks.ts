import { access, constants, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Redis } from "ioredis";
import { request } from "undici";
import { AgentError } from "../../../agents/base/agent_error.ts";
import { withoutCredentials } from "../../../agents/base/credentials.ts";
import type { Configuration } from "../../../wiring/settings/configuration.ts";
import { count } from "../../../agents/model_deployer/planning/wording/count.ts";
import { ServedProcesses } from "../../../mlops/bentoml/servers/served_process.ts";
import { availableIsolation } from "../../../platform/containment/containment.ts";
import { DiskReserve } from "../../../platform/disk/disk_reserve.ts";
import { megabytes, roomOf, shortages } from "../../../platform/disk/disk_room.ts";
import { findLocalServices } from "../../../platform/services/local_services.ts";
import { findToolsEnvironment } from "../../../platform/python/python_environment.ts";
import { inspectPython } from "../../../platform/python/python_interpreter.ts";
import { nodeProblem } from "../../required_node.ts";
import { maskedConfiguration } from "./masked_configuration.ts";
import { checkCluster } from "./doctor_cluster.ts";
import { checkConsole } from "./doctor_console.ts";
import { checkMlflow } from "./doctor_mlflow.ts";
import { checkStorage } from "./doctor_storage.ts";
import { checkCheckpoints, checkDatabase } from "./doctor_database.ts";
import { checkRights } from "./doctor_rights.ts";
import {
  adviceFor,
  check,
  CHECK_MS,
  down,
  fine,
  type DoctorFinding,
  notStarted,
  weak,
} from "./doctor_finding.ts";
import type { Invocation } from "../../invocation/invocation.ts";
import type { Check } from "../../../service/machine/machine_schemas.ts";

/** Checks every part, whether the others work or not. */
export async function checkAll(
  invocation: Invocation,
  engine?: string,
): Promise<{ checks: Check[]; configuration: Record<string, string> }> {
  const node = check("node", () => Promise.resolve(checkNode()));
  try {
    const configuration = await invocation.configuration(
      engine === undefined ? {} : { MODEL_DEPLOYER_ENGINE: engine },
    );
    const local = await findLocalServices(configuration.home).catch(() => ({}));
    const checks = await Promise.all([
      node,
      check("home", () => checkHome(configuration.home)),
      check("rights", () => checkRights(configuration.home)),
      check("disk", () => checkDisk(configuration)),
      check("storage", () => checkStorage(configuration)),
      check("isolation", () => checkIsolation(configuration)),
      check("python", checkPython),
      check("tools", () => checkTools(configuration)),
      ...checkDatabase(configuration, local),
      check("redis", () => checkRedis(configuration, local)),
      check("mlflow", () => checkMlflow(configuration, local)),
      check("supabase", () => checkSupabase(configuration)),
      check("checkpoints", () => checkCheckpoints(configuration)),
      check("console", () => checkConsole(configuration)),
    ]);
    checks.push(...(await checkCluster(configuration)));
    return { checks, configuration: maskedConfiguration(configuration) };
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    const wrong = { part: "configuration", ...down(error.message, "correct the variable that is named") };
    return { checks: [await node, wrong], configuration: {} };
  }
}

function checkNode(): DoctorFinding {
  const { node } = process.versions;
  const problem = nodeProblem(node);
  return problem === null ? fine(`Node ${node}`) : down(`Node ${node}`, problem);
}

async function checkHome(home: string): Promise<DoctorFinding> {
  const canWrite = (path: string) =>
    access(path, constants.W_OK).then(
      () => true,
      () => false,
    );
  if (await canWrite(home)) return fine(home);
  const exists = await access(home).then(
    () => true,
    () => false,
  );
  if (exists) return down(`${home} is not writable`, "give it to this user, or set MODEL_DEPLOYER_HOME");
  if (await canWrite(dirname(home))) return fine(`${home} does not exist yet and will be made`);
  return down(`${home} cannot be made`, "set MODEL_DEPLOYER_HOME to a folder that can");
}

async function checkIsolation({ containment, home }: Configuration): Promise<DoctorFinding> {
  const { isolation, network } = containment;
  const available = await availableIsolation();
  const processes = new ServedProcesses(join(home, "run"));
  const servers = await processes.list();
  const contained = await Promise.all(servers.map((id) => processes.isolationOf(id)));
  const open = servers.filter((_, index) => contained[index] === "none");
  const reach =
    network === "any" ? "anywhere" : `to ${network.length === 0 ? "nothing" : network.join(", ")}`;
  if (available === "none" || isolation === "off") {
    const found =
      isolation === "off"
        ? "models run uncontained, as MODEL_DEPLOYER_ISOLATION=off says"
        : "this kernel has no Landlock or seccomp: models run with all rights of this user";
    if (isolation === "required") return down(found, "nothing is served; use a kernel that has them");
    return weak(found, "serve only models that you would run yourself");
  }
  const found = `models are contained by Landlock and seccomp, and connect ${reach}`;
  if (open.length === 0) return fine(found);
  return weak(
    `${found}; ${count(open.length, "server")} runs uncontained: ${open.slice(0, 3).join(", ")}`,
    "restart each: model-deployer restart",
  );
}

async function checkDisk({ home, cache, lowDiskBytes, reserveBytes }: Configuration): Promise<DoctorFinding> {
  const rooms = await roomOf([home, cache]);
  const kept = await stat(new DiskReserve({ home, reserveBytes }).path).then(
    ({ size }) => size,
    () => 0,
  );
  const found = `${rooms.map((one) => `${megabytes(one.free_bytes)} MB free at ${one.path}`).join(", ")}`;
  const short = shortages(rooms, lowDiskBytes);
  if (short.length > 0) return weak(found, short.join("; "));
  return fine(`${found}; ${megabytes(kept)} MB are kept for rollbacks`);
}

async function checkPython(): Promise<DoctorFinding> {
  const { executable } = await inspectPython(AbortSignal.timeout(CHECK_MS));
  return fine(executable);
}

async function checkTools({ cache }: Configuration): Promise<DoctorFinding> {
  const tools = await findToolsEnvironment({ cacheDirectory: cache, signal: AbortSignal.timeout(CHECK_MS) });
  if (tools === null) {
    return weak(
      "BentoML, MLflow and Envoy are not installed yet",
      "the first action installs them; it takes minutes",
    );
  }
  await access(tools.envoy, constants.X_OK);
  await access(tools.bentoml, constants.X_OK);
  return fine("BentoML, MLflow, uv and the Envoy binary are installed");
}

type Local = Awaited<ReturnType<typeof findLocalServices>>;

async function checkRedis({ redisUrl }: Configuration, local: Partial<Local>): Promise<DoctorFinding> {
  const url = redisUrl ?? local.redisUrl;
  if (url === undefined) return notStarted("Redis");
  const client = new Redis(url, {
    lazyConnect: true,
    connectTimeout: 3000,
    commandTimeout: 3000,
    retryStrategy: () => null,
  });
  client.on("error", () => undefined); // the rejected call says the same
  try {
    await client.connect();
    await client.ping();
    return fine(`answers at ${withoutCredentials(url)}`);
  } finally {
    client.disconnect();
  }
}

async function checkSupabase({ supabaseUrl, supabaseKey }: Configuration): Promise<DoctorFinding> {
  if (supabaseUrl === null) return fine("the deployer's own Postgres");
  const answer = await request(
    new URL("rest/v1/", supabaseUrl.endsWith("/") ? supabaseUrl : `${supabaseUrl}/`),
    {
      headers: supabaseKey === null ? {} : { apikey: supabaseKey, authorization: `Bearer ${supabaseKey}` },
      signal: AbortSignal.timeout(5000),
    },
  );
  await answer.body.dump();
  return answer.statusCode < 400
    ? fine("answers")
    : down(`answers ${answer.statusCode}`, adviceFor("supabase"));
}
