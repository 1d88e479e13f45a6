import { createTestDeployer } from "../../../src/testing/index.ts";
import { describeSpecification } from "../../support/specification.ts";

describeSpecification(createTestDeployer);
