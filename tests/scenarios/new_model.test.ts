import { createTestDeployer } from "../../src/testing/index.ts";
import { describeScenarios } from "../support/scenarios.ts";

describeScenarios(createTestDeployer);
