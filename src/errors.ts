/** Every error that the agent raises: a stable `code`, `retryable`, `details`, and the `cause`. */
export * from "./agents/model_deployer/errors.ts";
export {
  AgentError,
  SlaExceededError,
  UnexpectedAgentError,
  type AgentErrorOptions,
} from "./agents/base/agent_error.ts";
