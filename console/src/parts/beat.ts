import { useEffect } from "preact/hooks";
import { useSignal } from "@preact/signals";

/** A number that rises this often while the page is seen, so that what is not in the live stream is asked again. */
export function useBeat(everyMs: number): number {
  const beat = useSignal(0);
  useEffect(() => {
    const beating = setInterval(() => {
      if (document.visibilityState === "visible") beat.value += 1;
    }, everyMs);
    return () => clearInterval(beating);
  }, [everyMs]);
  return beat.value;
}
