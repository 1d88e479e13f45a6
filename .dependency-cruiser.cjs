/** Arrows point inwards: decisions know only nouns, gathering knows ports, adapters know ports, the wiring knows all. */
const deployer = "^src/agents/model_deployer/";
const core = "^src/agents/";
const domain = `${deployer}domain/`;
const judge = `${deployer}judge/`;
const planning = `${deployer}planning/`;
const nextStep = "^src/agents/base/next_step\\.ts$";
const pure = [domain, judge, planning, nextStep];
const gathering = [`${deployer}actions/planner\\.ts$`, `${deployer}actions/[^/]+/gather`];
const outside =
  "^src/(api|cli|database|identity|keeping|memory|mlops|notifications|pipeline|platform|service|telemetry|wiring|worker)/";

/** The agent's rooms from the ground up; what LangGraph calls and what puts the parts together stand on top. */
const floors = [
  "domain/",
  "judge/",
  "planning/",
  "state/",
  "ports/",
  "collection/",
  "effects/",
  "actions/",
  "operations/",
  "reconciliation/",
  "capabilities\\.ts$",
  "nodes/",
  "(graph|agent)\\.ts$",
];
const nothingAbove = (room, floor) => ({
  name: `nothing-above-${room.replaceAll(/[^a-z]+/g, "-")}`,
  severity: "error",
  from: { path: `${deployer}${room}` },
  to: { path: `${deployer}(${floors.slice(floor + 1).join("|")})` },
});

module.exports = {
  forbidden: [
    {
      name: "no-circles",
      comment: "Types count: a circle of types is a circle to whoever reads it.",
      severity: "error",
      from: { path: "^src/" },
      to: { circular: true },
    },
    {
      name: "the-domain-imports-nothing",
      comment:
        "The nouns are pure: of the project only themselves and an error's ways out, of libraries only zod.",
      severity: "error",
      from: { path: domain },
      to: { pathNot: [domain, nextStep, "^node_modules/zod/"] },
    },
    {
      name: "the-judge-knows-nouns-only",
      severity: "error",
      from: { path: judge },
      to: { pathNot: [judge, domain, "^node_modules/zod/"] },
    },
    {
      name: "planning-is-pure",
      severity: "error",
      from: { path: planning },
      to: { pathNot: [...pure, "^node_modules/zod/"] },
    },
    {
      name: "decisions-are-pure",
      comment: "In an action only what gathers its facts reaches the outside; decisions see facts.",
      severity: "error",
      from: { path: `${deployer}actions/`, pathNot: gathering },
      to: { pathNot: [...pure, `${deployer}actions/`] },
    },
    {
      name: "decisions-gather-nothing",
      severity: "error",
      from: { path: `${deployer}actions/`, pathNot: gathering },
      to: { path: gathering },
    },
    {
      name: "repairs-are-decided-purely",
      severity: "error",
      from: {
        path: `${deployer}reconciliation/(decide|facts|capacity/memory_limits|replica_drifts|capacity/scaled_servers|mended_replicas|registry_drift|route_repair|repair_waves)\\.ts$`,
      },
      to: {
        pathNot: [
          ...pure,
          `${deployer}reconciliation/(decide|facts|capacity/memory_limits|replica_drifts|capacity/scaled_servers|mended_replicas|registry_drift|route_repair)\\.ts$`,
        ],
      },
    },
    {
      name: "core-knows-no-adapter",
      severity: "error",
      from: { path: core },
      to: { path: outside },
    },
    ...floors.slice(0, -1).map(nothingAbove),
    {
      name: "adapters-know-ports-only",
      severity: "error",
      from: { path: "^src/(database|identity|memory|mlops|notifications|platform)/" },
      to: {
        path: core,
        pathNot: [
          `${deployer}ports/`,
          `${deployer}(errors|file_errors)\\.ts$`,
          "^src/agents/base/(agent_error|deadline|tracing)\\.ts$",
          ...pure,
          `${deployer}(actions/[^/]+|reconciliation)/facts\\.ts$`,
        ],
      },
    },
    {
      name: "adapters-know-no-front",
      comment: "What a person, a caller or a worker starts stands above all that it reaches.",
      severity: "error",
      from: { path: "^src/(database|identity|keeping|memory|mlops|notifications|platform)/" },
      to: { path: "^src/(api|cli|pipeline|service|wiring|worker)/" },
    },
    {
      name: "adapters-do-not-know-each-other",
      comment: "What several of them share, such as how one server becomes several, belongs to none.",
      severity: "error",
      from: { path: "^src/mlops/([^/]+)/" },
      to: { path: "^src/mlops/([^/]+)/", pathNot: ["^src/mlops/$1/", "^src/mlops/(replicas|shared)/"] },
    },
    {
      name: "only-entries-know-the-wiring",
      comment: "What starts a process or a graph asks for the whole; nothing else may.",
      severity: "error",
      from: { path: "^src/", pathNot: ["^src/wiring/", "^src/index\\.ts$", "^src/cli/"] },
      to: { path: "^src/wiring/" },
    },
    {
      name: "the-api-does-what-the-library-does",
      comment: "It is handed a deployer and builds none.",
      severity: "error",
      from: { path: "^src/api/" },
      to: { path: "^src/(cli|wiring|mlops|identity|notifications|platform)/" },
    },
    {
      name: "what-is-offered-knows-no-front",
      comment: "Command line and API stand side by side on what both offer.",
      severity: "error",
      from: { path: "^src/service/" },
      to: { path: "^src/(cli|api|wiring)/" },
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
      name: "the-console-knows-schemas-only",
      comment:
        "The page shares the shapes of the API's answers with the server, and nothing that runs there.",
      severity: "error",
      from: { path: "^console/" },
      to: {
        path: "^src/",
        pathNot: [
          "^src/service/\\w+_schemas\\.ts$",
          "^src/service/\\w+/\\w+_schemas\\.ts$",
          ...pure,
          `${deployer}domain/`,
        ],
      },
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
