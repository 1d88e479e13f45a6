/** Arrows point inwards: domain imports nothing, nodes import domain and ports, adapters import ports. */
const inside = "^src/agents/model_deployer/domain/";
const core = "^src/agents/(base|model_deployer)/";
const wiring = "^src/agents/model_deployer/(create_model_deployer|create_engine)\\.ts$";
const adapters = "^src/(database|memory|mlops|platform|worker|pipeline|cli)/";

module.exports = {
  forbidden: [
    {
      name: "no-circles",
      severity: "error",
      from: { path: "^src/" },
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    {
      name: "domain-imports-nothing",
      comment: "The domain is pure: of the project only itself, of libraries only zod.",
      severity: "error",
      from: { path: inside },
      to: { pathNot: [inside, "^node_modules/zod/"] },
    },
    {
      name: "core-knows-no-adapter",
      comment: "Only the wiring file reaches adapters.",
      severity: "error",
      from: { path: core, pathNot: [wiring] },
      to: { path: [adapters, "^src/configuration\\.ts$"] },
    },
    {
      name: "adapters-know-ports-only",
      severity: "error",
      from: { path: "^src/(database|memory|mlops|platform)/" },
      to: {
        path: core,
        pathNot: [
          "^src/agents/model_deployer/(ports|store_ports|errors|file_errors)\\.ts$",
          "^src/agents/base/(agent_error|deadline|tracing)\\.ts$",
          inside,
        ],
      },
    },
    {
      name: "adapters-do-not-know-each-other",
      severity: "error",
      from: { path: "^src/mlops/([^/]+)/" },
      to: { path: "^src/mlops/([^/]+)/", pathNot: "^src/mlops/$1/" },
    },
    {
      name: "product-knows-no-tests",
      severity: "error",
      from: { path: "^(src|demo)/" },
      to: { path: "^(tests|bench)/" },
    },
    {
      name: "product-knows-no-testing-kit",
      comment: "The kit is for tests, the user's included; nothing that runs in production is built on it.",
      severity: "error",
      from: { path: "^(src|demo)/", pathNot: "^src/testing/" },
      to: { path: "^src/testing/" },
    },
    {
      name: "declared-packages-only",
      severity: "error",
      from: { path: "^src/" },
      to: { dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown"], dependencyTypesNot: ["npm-peer"] },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "default", "types"],
    },
  },
};
