import { z } from "zod";
import type { GatePolicy } from "../../domain/entities.ts";

/** A policy as plans and histories keep it. */
export const policyEvidence = (policy: GatePolicy): z.core.util.JSONType =>
  z.json().parse(JSON.parse(JSON.stringify(policy)));
