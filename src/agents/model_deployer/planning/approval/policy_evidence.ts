import { z } from "zod";
import type { GatePolicy } from "../../domain/models/gate_policy.ts";

/** A policy as plans and histories keep it. */
export const policyEvidence = (policy: GatePolicy): z.core.util.JSONType =>
  z.json().parse(JSON.parse(JSON.stringify(policy)));
