import { glob, readFile, realpath } from "node:fs/promises";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { ConfigurationError } from "../../agents/model_deployer/errors.ts";
import { childEnvironment, scriptPython } from "../processes/child_environment.ts";

export interface ContainmentPolicy {
  /** `preferred`: where the kernel can; `required`: or nothing is served; `off`: never. */
  isolation: "preferred" | "required" | "off";
  /** Where models may connect to: anywhere, or these TCP ports, none where the list is empty. */
  network: "any" | readonly number[];
}

export interface Command {
  command: string;
  args: string[];
}

export interface ContainmentNeeds {
  /** Files and folders that it reads and runs, beside the system's. */
  read: string[];
  /** Files and folders that are its own. */
  write: string[];
  /** The port that it listens at; null for a program that listens nowhere. */
  port: number | null;
}

const script = fileURLToPath(new URL("./contained.py", import.meta.url));
const PROBE_TIMEOUT_MS = 20_000;
/** A model that fills the disk by one file is stopped there. */
const FILE_BYTES = 4 * 1024 ** 3;
const PROCESSES = 512;
/** Numbers that systemd draws for users of its own, whom nobody else is: https://systemd.io/UIDS-GIDS */
const FIRST_USER = 61_184;
const USERS = 4_335;
/** For what is no server: no server owns its files. */
const OTHER_USER = FIRST_USER + USERS;

/** Libraries, resolvers and certificates; no folder of a user, no password, no socket. */
const SYSTEM = [
  ...["/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin"],
  ...["ld.so.cache", "passwd", "group", "nsswitch.conf", "hosts", "resolv.conf", "host.conf", "gai.conf"].map(
    (name) => `/etc/${name}`,
  ),
  ...[
    "localtime",
    "timezone",
    "ssl/certs",
    "ssl/openssl.cnf",
    "pki/tls",
    "pki/ca-trust",
    "ca-certificates",
  ].map((name) => `/etc/${name}`),
  ...["mime.types", "services", "protocols", "alternatives", "fonts"].map((name) => `/etc/${name}`),
  "/run/systemd/resolve/stub-resolv.conf",
  ...["cpuinfo", "meminfo", "stat", "filesystems", "version", "uptime", "loadavg", "sys"].map(
    (name) => `/proc/${name}`,
  ),
  ...["/sys/devices/system", "/sys/fs/cgroup", "/dev/urandom", "/dev/random", "/dev/zero"],
];

const probedSchema = z.strictObject({ landlock: z.int(), seccomp: z.boolean() });

/** How a machine's kernel can contain a process. */
type KernelIsolation = "landlock" | "none";

let probed: Promise<KernelIsolation> | undefined;

/** How this machine's kernel can contain a process; looked up once. */
export function availableIsolation(): Promise<KernelIsolation> {
  return (probed ??= probe());
}

async function probe(): Promise<KernelIsolation> {
  if (process.platform !== "linux") return "none";
  const { execa } = await import("execa");
  const options = { env: childEnvironment(), extendEnv: false, timeout: PROBE_TIMEOUT_MS } as const;
  const answer = await execa(scriptPython(), ["-I", "-S", script, "--probe"], options).catch(() => null);
  if (answer === null) return "none";
  const found = probedSchema.safeParse(JSON.parse(answer.stdout));
  return found.success && found.data.landlock > 0 && found.data.seccomp ? "landlock" : "none";
}

/**
 * The isolation that a model is served in under the policy.
 * @throws ConfigurationError where the policy requires one that there is not
 */
export async function isolationFor(
  { isolation }: Pick<ContainmentPolicy, "isolation">,
  findAvailable: () => Promise<KernelIsolation> = availableIsolation,
): Promise<KernelIsolation> {
  if (isolation === "off") return "none";
  const available = await findAvailable();
  if (available !== "none" || isolation === "preferred") return available;
  throw new ConfigurationError(
    "MODEL_DEPLOYER_ISOLATION=required, and this kernel cannot contain a model: it needs Landlock (Linux 5.13 or newer, switched on) and seccomp. Nothing is served; use such a kernel, or MODEL_DEPLOYER_ISOLATION=preferred.",
    { details: { isolation, available } },
  );
}

/** The command in the kernel's containment: see `contained.py`. It must name its program by an absolute path. */
export function contained(
  command: Command,
  needs: ContainmentNeeds,
  { network }: Pick<ContainmentPolicy, "network">,
): Promise<Command> {
  return inKernel(command, needs, network, false);
}

/** The same for an installer that may build packages: it asks indexes anywhere, and changes modes of its files. */
export function containedBuild(
  command: Command,
  needs: Pick<ContainmentNeeds, "read" | "write">,
): Promise<Command> {
  return inKernel(command, { ...needs, port: null }, "any", true);
}

async function inKernel(
  { command, args }: Command,
  { read, write, port }: ContainmentNeeds,
  network: ContainmentPolicy["network"],
  modes: boolean,
): Promise<Command> {
  const isRoot = process.getuid?.() === 0;
  const limits = {
    read: [...SYSTEM, ...(await installationOf(command)), ...read],
    write: [...write, "/dev/null", ...(await graphicsDevices())],
    bind: port === null ? [] : [port],
    connect: network === "any" ? null : network,
    // Of root's own processes the kernel counts none; another user's it does, for each server by itself.
    user: !isRoot ? null : port === null ? OTHER_USER : FIRST_USER + (port % USERS),
    processes: isRoot ? PROCESSES : await processesNow(),
    file_bytes: FILE_BYTES,
    modes,
  };
  return { command: scriptPython(), args: ["-I", "-S", script, JSON.stringify(limits), command, ...args] };
}

/** Where a program has its library, as the interpreter that an environment was made of; none where it is yet to be made. */
async function installationOf(program: string): Promise<string[]> {
  const path = await realpath(program).catch(() => null);
  return path === null ? [] : [dirname(dirname(path))];
}

async function graphicsDevices(): Promise<string[]> {
  const found: string[] = [];
  for await (const path of glob(["/dev/nvidia*", "/dev/kfd", "/dev/dri"])) found.push(path);
  return found;
}

/** A limit that counts all processes and threads of this user, so many more than there are now. */
async function processesNow(): Promise<number | null> {
  const load = await readFile("/proc/loadavg", "utf8").catch(() => "");
  const now = Number(/\d+\/(\d+)/.exec(load)?.[1] ?? Number.NaN);
  return Number.isNaN(now) ? null : now + 2 * PROCESSES;
}
