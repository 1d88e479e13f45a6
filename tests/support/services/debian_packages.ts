import { access, chmod, mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { execa } from "execa";

/**
 * Debian's packages in the version that apt serves, unpacked into a folder without any rights; once for all runs.
 * @returns why they cannot be had; null where they are there
 */
export async function unpackedPackages(place: string, packages: readonly string[]): Promise<string | null> {
  const isThere = await access(place).then(
    () => true,
    () => false,
  );
  return isThere ? null : unpack(place, packages);
}

async function unpack(place: string, packages: readonly string[]): Promise<string | null> {
  await mkdir(dirname(place), { recursive: true, mode: 0o755 });
  const scratch = await mkdtemp(`${place}-`);
  try {
    const options = { cwd: scratch, reject: false, timeout: 120_000 } as const;
    const fetched = await execa("apt-get", ["download", ...packages], options);
    if (fetched.failed) {
      return `apt-get cannot download ${packages[0]}: ${fetched.stderr || fetched.shortMessage}`;
    }
    const files = (await readdir(scratch)).filter((name) => name.endsWith(".deb"));
    for (const file of files) {
      const unpacked = await execa("dpkg", ["-x", file, "root"], options);
      if (unpacked.failed) return `dpkg cannot unpack ${file}: ${unpacked.stderr || unpacked.shortMessage}`;
    }
    await chmod(`${scratch}/root`, 0o755);
    // Whoever was faster has the same.
    await rename(`${scratch}/root`, place).catch(() => undefined);
    return null;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
