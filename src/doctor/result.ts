// What a check of `reelkit doctor` says.

export interface CheckResult {
  name: string;
  ok: boolean;
  /** What was found; when it failed, with the remedy. */
  detail: string;
}

export function passed(name: string, detail: string): CheckResult {
  return { name, ok: true, detail };
}

export function failed(name: string, detail: string): CheckResult {
  return { name, ok: false, detail };
}
