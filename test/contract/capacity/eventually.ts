// Waits for what must become true soon.
export async function eventually(condition: () => Promise<boolean>, limitMs = 60_000): Promise<void> {
  for (const startedAt = performance.now(); !(await condition()); ) {
    if (performance.now() - startedAt > limitMs) throw new Error(`not true after ${limitMs / 1_000} s: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
