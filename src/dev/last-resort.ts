// What must not outlive this process: one exit handler ends all of it. SIGKILL of this process is beyond it; see leftovers.ts.

const endings = new Set<() => void>();

process.on('exit', () => {
  for (const end of endings) end();
});

/** Returns the way to take it back once there is nothing left to end. */
export function endAtExit(end: () => void): () => void {
  endings.add(end);
  return () => void endings.delete(end);
}
