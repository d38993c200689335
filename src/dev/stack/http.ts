// One question to a starting HTTP service: does it answer with success? Never throws.

export async function httpAnswers(
  url: string,
  accepts: (body: string) => boolean = () => true,
  timeoutMs = 2_000,
): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
    const body = await response.text();
    return response.ok && accepts(body);
  } catch {
    return false;
  }
}
