import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { withRouteDefaults } from "./gateway_kinds.ts";
import { merged, valueAt } from "./merge_patch.ts";
import { type Kind, kinds, metadataSchema } from "./kinds.ts";

export const objectSchema = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({
    name: z.string(),
    uid: z.string(),
    resourceVersion: z.string(),
    generation: z.int(),
    labels: z.record(z.string(), z.string()).optional(),
    annotations: z.record(z.string(), z.string()).optional(),
    ownerReferences: z.array(z.looseObject({ uid: z.string() })).optional(),
  }),
});
export type KeptObject = z.infer<typeof objectSchema>;

/** The answer of a call that was not carried out. */
export class Refusal {
  readonly status: number;
  readonly reason: string;
  readonly message: string;

  constructor(status: number, reason: string, message: string) {
    this.status = status;
    this.reason = reason;
    this.message = message;
  }
}

/** The objects of one namespace, with the checks that an API server makes before it keeps one. */
export class ObjectStore {
  /** By kind, then by name. */
  readonly #objects = new Map<string, Map<string, KeptObject>>();
  #version = 100;
  #address = 10;
  /** Called after each write. */
  onChange: (plural: string) => void = () => undefined;

  get(plural: string, name: string): KeptObject | Refusal {
    return this.#of(plural).get(name) ?? absent(plural, name);
  }

  list(plural: string, selector = ""): KeptObject[] {
    const parts = selector.split(",").filter((part) => part !== "");
    return [...this.#of(plural).values()].filter(({ metadata }) =>
      parts.every((part) => matches(metadata.labels ?? {}, part)),
    );
  }

  get resourceVersion(): string {
    return String(this.#version);
  }

  create(plural: string, body: unknown): KeptObject | Refusal {
    const kind = kindOf(plural);
    const problem = problemOf(kind, body);
    if (problem !== null) return problem;
    const given = z
      .looseObject({ metadata: z.looseObject({ name: z.string() }), spec: z.looseObject({}).optional() })
      .parse(body);
    const { name } = given.metadata;
    if (this.#of(plural).has(name)) {
      return new Refusal(409, "AlreadyExists", `${plural} "${name}" already exists`);
    }
    const metadata = {
      ...given.metadata,
      uid: randomUUID(),
      generation: 1,
      creationTimestamp: new Date().toISOString(),
    };
    return this.#keep(plural, this.#defaulted(plural, { ...given, metadata }));
  }

  /** A merge patch. */
  patch(plural: string, name: string, change: unknown): KeptObject | Refusal {
    const present = this.get(plural, name);
    if (present instanceof Refusal) return present;
    const parsed = z.looseObject({}).safeParse(change);
    if (!parsed.success) return new Refusal(400, "BadRequest", "the patch is no object");
    return this.#replace(plural, present, merged(present, parsed.data));
  }

  update(plural: string, name: string, body: unknown): KeptObject | Refusal {
    const present = this.get(plural, name);
    return present instanceof Refusal ? present : this.#replace(plural, present, body);
  }

  remove(plural: string, name: string, uid: string | undefined): KeptObject | Refusal {
    const present = this.get(plural, name);
    if (present instanceof Refusal) return present;
    if (uid !== undefined && uid !== present.metadata.uid) {
      const found = `the UID in the precondition (${uid}) does not match the UID in record (${present.metadata.uid})`;
      return new Refusal(
        409,
        "Conflict",
        `Operation cannot be fulfilled on ${plural} "${name}": Precondition failed: ${found}`,
      );
    }
    this.#of(plural).delete(name);
    this.#removeOwnedBy(present.metadata.uid);
    this.onChange(plural);
    return present;
  }

  /** What controllers write: the status, which no generation counts. */
  setStatus(plural: string, name: string, status: unknown): void {
    const present = this.get(plural, name);
    if (present instanceof Refusal || isDeepStrictEqual(present["status"], status)) return;
    this.#keep(plural, { ...present, status }, false);
  }

  #replace(plural: string, present: KeptObject, body: unknown): KeptObject | Refusal {
    const kind = kindOf(plural);
    const { name } = present.metadata;
    const problem = problemOf(kind, body);
    if (problem !== null) return problem;
    const next = objectSchema.parse(plural === "httproutes" ? withRouteDefaults(body) : body);
    const { resourceVersion, uid } = next.metadata;
    if (uid !== present.metadata.uid) {
      return new Refusal(
        422,
        "Invalid",
        `${kind.kind} "${name}" is invalid: metadata.uid: field is immutable`,
      );
    }
    if (resourceVersion !== present.metadata.resourceVersion) {
      return new Refusal(
        409,
        "Conflict",
        `Operation cannot be fulfilled on ${plural} "${name}": the object has been modified; please apply your changes to the latest version and try again`,
      );
    }
    const changed = kind.immutable.find(
      (path) => !isDeepStrictEqual(valueAt(next, path), valueAt(present, path)),
    );
    if (changed !== undefined) {
      return new Refusal(422, "Invalid", `${kind.kind} "${name}" is invalid: ${changed}: field is immutable`);
    }
    // A Deployment's annotations count as well, since its controller hands them on.
    const counted = plural === "deployments" ? [next.metadata.annotations, next["spec"]] : [next["spec"]];
    const before =
      plural === "deployments" ? [present.metadata.annotations, present["spec"]] : [present["spec"]];
    const generation = present.metadata.generation + (isDeepStrictEqual(counted, before) ? 0 : 1);
    return this.#keep(plural, { ...next, metadata: { ...next.metadata, generation } });
  }

  #keep(plural: string, object: Record<string, unknown>, isWrite = true): KeptObject {
    this.#version += 1;
    const metadata = z.looseObject({ name: z.string() }).parse(object["metadata"]);
    const { kind, apiVersion } = kindOf(plural);
    const kept = objectSchema.parse({
      ...object,
      kind,
      apiVersion,
      metadata: { ...metadata, resourceVersion: String(this.#version) },
    });
    this.#of(plural).set(kept.metadata.name, kept);
    if (isWrite) this.onChange(plural);
    return kept;
  }

  #defaulted(plural: string, object: Record<string, unknown>): Record<string, unknown> {
    if (plural === "httproutes") return withRouteDefaults(object);
    if (plural !== "services") return object;
    this.#address += 1;
    const spec = z.looseObject({}).parse(object["spec"]);
    const clusterIP = `10.96.${this.#address >> 8}.${this.#address & 255}`;
    return { ...object, spec: { ...spec, clusterIP } };
  }

  /** As the garbage collector does. */
  #removeOwnedBy(uid: string): void {
    for (const objects of this.#objects.values()) {
      for (const [name, { metadata }] of [...objects]) {
        if (metadata.ownerReferences?.some((owner) => owner.uid === uid) !== true) continue;
        objects.delete(name);
        this.#removeOwnedBy(metadata.uid);
      }
    }
  }

  #of(plural: string): Map<string, KeptObject> {
    const objects = this.#objects.get(plural) ?? new Map<string, KeptObject>();
    this.#objects.set(plural, objects);
    return objects;
  }
}

export function kindOf(plural: string): Kind {
  const kind = kinds[plural];
  if (kind === undefined) throw new TypeError(`the stand-in keeps no ${plural}`);
  return kind;
}

function absent(plural: string, name: string): Refusal {
  return new Refusal(404, "NotFound", `${plural} "${name}" not found`);
}

const schemaOf = (kind: Kind) =>
  z.strictObject({
    apiVersion: z.literal(kind.apiVersion),
    kind: z.literal(kind.kind),
    metadata: metadataSchema,
    status: z.unknown().optional(),
    ...kind.fields,
  });
const schemas = new Map(Object.values(kinds).map((kind) => [kind.kind, schemaOf(kind)]));

function problemOf(kind: Kind, body: unknown): Refusal | null {
  const parsed = (schemas.get(kind.kind) ?? schemaOf(kind)).safeParse(body);
  if (parsed.success) {
    const { name } = parsed.data.metadata;
    if (kind.namePattern.test(name)) return null;
    return new Refusal(
      422,
      "Invalid",
      `${kind.kind} "${name}" is invalid: metadata.name: Invalid value: "${name}"`,
    );
  }
  const unknown = parsed.error.issues.flatMap((issue) =>
    issue.code === "unrecognized_keys" ? issue.keys.map((key) => [...issue.path, key].join(".")) : [],
  );
  if (unknown.length > 0) {
    const fields = unknown.map((field) => `unknown field "${field}"`).join(", ");
    return new Refusal(
      400,
      "BadRequest",
      `${kind.kind} in version "${kind.apiVersion}" cannot be handled: strict decoding error: ${fields}`,
    );
  }
  const said = parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join(", ");
  return new Refusal(422, "Invalid", `${kind.kind} is invalid: ${said}`);
}

/** @param part of a selector, as `key` or `key=value` */
function matches(labels: Record<string, string>, part: string): boolean {
  const [key = "", value] = part.split("=");
  return value === undefined ? key in labels : labels[key] === value;
}
