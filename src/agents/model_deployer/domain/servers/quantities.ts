/** Kubernetes' quantities: `"2"` and `"500m"` of CPU as cores. */
export function coresOf(cpu: string): number {
  return cpu.endsWith("m") ? Number(cpu.slice(0, -1)) / 1000 : Number(cpu);
}

/** Threads that the CPU has room for at once: its whole cores, one at least and never more than the machine's. */
export function threadsOf(cpu: string, machineCores = Number.POSITIVE_INFINITY): number {
  return Math.max(1, Math.floor(Math.min(coresOf(cpu), machineCores)));
}

/** `"512Mi"` and `"4Gi"` as bytes. */
export function bytesOf(memory: string): number {
  return Number.parseInt(memory, 10) * 1024 ** (memory.endsWith("Gi") ? 3 : 2);
}

/** Bytes in the unit of a limit, such as `4.1` beside `4Gi`. */
export function inUnitOf(memory: string, bytes: number): string {
  const amount = bytes / 1024 ** (memory.endsWith("Gi") ? 3 : 2);
  return String(Math.round(amount * 100) / 100);
}
