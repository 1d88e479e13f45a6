import { mkdir, mkdtemp, rm, writeFile, chmod, chown } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import {
  availableIsolation,
  contained,
  isolationFor,
} from "../../../src/platform/containment/containment.ts";
import { childEnvironment, scriptPython } from "../../../src/platform/processes/child_environment.ts";

const isolation = await availableIsolation();
const isRoot = process.getuid?.() === 0;
/** `nobody`, who owns nothing. */
const NOBODY = 65_534;

/** Tries each, given by name as Python, and prints what came of it. */
const attempting = `
import json, os, pathlib, socket, sys
def bind(port):
    with socket.socket() as one:
        one.bind(("127.0.0.1", port))
def connect(family, address):
    with socket.socket(family) as one:
        one.connect(address)
came = {}
for name, code in json.loads(sys.argv[1]).items():
    try:
        exec(code)
        came[name] = "done"
    except Exception as error:
        came[name] = type(error).__name__
print(json.dumps(came))
`;

/** Runs the command with no Landlock, as an older kernel or one that has it switched off. */
const withoutLandlock = `
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
steps = [(0x20, 0, 0, 0), (0x15, 0, 1, 444), (0x06, 0, 0, 0x00050000 | 38), (0x06, 0, 0, 0x7FFF0000)]
code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *one) for one in steps))
libc.prctl(38, 1, 0, 0, 0)
assert libc.prctl(22, 2, ctypes.c_char_p(struct.pack("@HP", len(steps), ctypes.addressof(code))), 0, 0) == 0
os.execv(sys.argv[1], sys.argv[1:])
`;

let folder: string;
let own: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "contained-"));
  own = join(folder, "own");
  await mkdir(own);
  await writeFile(join(folder, "secret"), "secret", { mode: 0o600 });
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function attempt(attempts: Record<string, string>, user: number | null) {
  const { command, args } = await contained(
    { command: scriptPython(), args: ["-I", "-c", attempting, JSON.stringify(attempts)] },
    { read: [], write: [own], port: 18_430 },
    { network: [] },
  );
  const answer = await execa(command, args, {
    cwd: own,
    env: childEnvironment({ HOME: own, TMPDIR: own }),
    extendEnv: false,
    ...(user !== null && { uid: user, gid: user }),
  });
  return z.record(z.string(), z.string()).parse(JSON.parse(answer.stdout));
}

describe.skipIf(isolation === "none")("a contained program of a user other than root", () => {
  it("reaches nothing that its user owns beside its own folder", async () => {
    const user = isRoot ? NOBODY : null;
    if (isRoot) {
      await chmod(folder, 0o755);
      for (const path of [own, join(folder, "secret")]) await chown(path, NOBODY, NOBODY);
    }
    const came = await attempt(
      {
        "writes to its own folder": "pathlib.Path('note').write_text('x')",
        "listens at its own port": "bind(18430)",
        "reads a secret that its user owns": `pathlib.Path(${JSON.stringify(join(folder, "secret"))}).read_text()`,
        "lists what lies beside it": `os.listdir(${JSON.stringify(folder)})`,
        "writes beside it": `pathlib.Path(${JSON.stringify(join(folder, "more"))}).write_text('x')`,
        "lists processes": "os.listdir('/proc')",
        "reads its own command": "pathlib.Path('/proc/self/cmdline').read_bytes()",
        "signals the deployer": `os.kill(${process.pid}, 0)`,
        "takes another port": "bind(18431)",
        "connects to Postgres": "connect(socket.AF_INET, ('127.0.0.1', 5432))",
        "asks a socket": `connect(socket.AF_UNIX, ${JSON.stringify(join(folder, "admin.sock"))})`,
        "sends datagrams": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
        "opens its folder to all": "os.chmod('.', 0o777)",
        "becomes root": "os.setuid(0)",
      },
      user,
    );
    const done = Object.keys(came).filter((name) => came[name] === "done");
    expect(done).toEqual(["writes to its own folder", "listens at its own port"]);
  });
});

describe("a kernel that cannot contain", () => {
  it("runs nothing", async () => {
    const python = scriptPython();
    const { command, args } = await contained(
      { command: python, args: ["-c", "print('it runs')"] },
      { read: [], write: [own], port: 18_430 },
      { network: "any" },
    );
    const answer = await execa(python, ["-c", withoutLandlock, command, ...args], { reject: false });
    expect(answer).toMatchObject({ exitCode: 125, stdout: "" });
    expect(answer.stderr).toBe("cannot be contained: this kernel has no Landlock");
  });

  it("serves nothing where an isolation is required, says so, and serves uncontained where one is preferred", async () => {
    const nothing = () => Promise.resolve("none" as const);
    const attempt = isolationFor({ isolation: "required" }, nothing);
    await expect(attempt).rejects.toMatchObject({ code: "configuration", retryable: false });
    await expect(attempt).rejects.toThrow(/^MODEL_DEPLOYER_ISOLATION=required, and this kernel cannot/);
    expect(await isolationFor({ isolation: "preferred" }, nothing)).toBe("none");
  });
});
