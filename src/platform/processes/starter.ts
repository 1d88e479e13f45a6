const LOOK_MS = 500;

/**
 * Calls back once when the process that started this one has ended without it: npm or a shell that was killed passes no
 * signal on. It does not keep this process alive. Not for processes that are meant to outlive their starter.
 */
export function whenStarterEnds(callBack: () => void): void {
  const starter = process.ppid;
  const looking = setInterval(() => {
    if (process.ppid === starter) return;
    clearInterval(looking);
    callBack();
  }, LOOK_MS);
  looking.unref();
}
