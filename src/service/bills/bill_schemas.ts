import { z } from "zod";

const hashSchema = z.strictObject({ alg: z.literal("SHA-256"), content: z.string().regex(/^[0-9a-f]{64}$/) });
const licenceChoiceSchema = z.union([
  z.strictObject({ expression: z.string() }),
  z.strictObject({ license: z.strictObject({ name: z.string() }) }),
]);
const propertySchema = z.strictObject({ name: z.string(), value: z.string() });

const componentSchema = z.strictObject({
  type: z.enum(["application", "library", "platform", "machine-learning-model"]),
  "bom-ref": z.string(),
  name: z.string(),
  version: z.string().optional(),
  purl: z.string().optional(),
  hashes: z.array(hashSchema).optional(),
  licenses: z.array(licenceChoiceSchema).optional(),
  properties: z.array(propertySchema).optional(),
});
export type Component = z.infer<typeof componentSchema>;

const vulnerabilitySchema = z.strictObject({
  "bom-ref": z.string(),
  id: z.string(),
  references: z.array(z.strictObject({ id: z.string(), source: z.strictObject({ name: z.string() }) })),
  ratings: z.array(
    z.strictObject({
      score: z.number().optional(),
      severity: z.enum(["unknown", "low", "medium", "high", "critical"]),
    }),
  ),
  description: z.string(),
  recommendation: z.string().optional(),
  affects: z.array(z.strictObject({ ref: z.string() })),
});

/** The part of CycloneDX 1.6 that is written: https://cyclonedx.org/docs/1.6/json */
export const billOfMaterialsSchema = z.strictObject({
  bomFormat: z.literal("CycloneDX"),
  specVersion: z.literal("1.6"),
  /** Of the content: the same bill has the same. */
  serialNumber: z.string(),
  version: z.literal(1),
  metadata: z.strictObject({
    tools: z.strictObject({ components: z.array(componentSchema) }),
    component: componentSchema,
  }),
  components: z.array(componentSchema),
  dependencies: z.array(z.strictObject({ ref: z.string(), dependsOn: z.array(z.string()).optional() })),
  /** Left out where nobody brought entries of known ones. */
  vulnerabilities: z.array(vulnerabilitySchema).optional(),
});
export type BillOfMaterials = z.infer<typeof billOfMaterialsSchema>;
