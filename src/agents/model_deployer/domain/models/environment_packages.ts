import { z } from "zod";

export const licenceSchema = z.discriminatedUnion("kind", [
  /** An SPDX expression, such as `MIT OR Apache-2.0`. */
  z.strictObject({ kind: z.literal("expression"), text: z.string() }),
  /** In the package's own words. */
  z.strictObject({ kind: z.literal("name"), text: z.string() }),
]);
export type Licence = z.infer<typeof licenceSchema>;

export const lockedPackageSchema = z.strictObject({
  /** As PEP 503 normalizes it. */
  name: z.string(),
  /** Null for one that is named by an address that does not say it. */
  version: z.string().nullable(),
  /** The file of a wheel of the artifact, or the address that names it; null for one of an index. */
  address: z.string().nullable(),
  /** In hex, of each file that the lock lets be installed. */
  sha256: z.array(z.string()),
});
export type LockedPackage = z.infer<typeof lockedPackageSchema>;

export const environmentPackagesSchema = z.strictObject({
  bento_tag: z.string(),
  /** The version of the Python that they were locked for, as in `3.12.1`. */
  python: z.string(),
  packages: z.array(lockedPackageSchema.extend({ licence: licenceSchema.nullable() })),
  /** Whether licences were read, which takes an environment that is made. */
  has_licences: z.boolean(),
});
/** The packages of the environment that a bento is served in, as its lock names them. */
export type EnvironmentPackages = z.infer<typeof environmentPackagesSchema>;
