import { threadsOf } from "../../agents/model_deployer/domain/servers/quantities.ts";

/** Threads of the libraries that calculate inside one prediction: more than the CPU limit gives only wait for each other. */
export function threadsEnvironment(cpuLimit: string, machineCores?: number): Record<string, string> {
  const threads = String(threadsOf(cpuLimit, machineCores));
  return { OMP_NUM_THREADS: threads, OPENBLAS_NUM_THREADS: threads, MKL_NUM_THREADS: threads };
}
