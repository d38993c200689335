// Two traces of the same calls, leaf by leaf. Pure.
import type { JsonValue } from '@bufbuild/protobuf';
import type { Trace } from './scenario.ts';

/** A leaf that is not the same; absent where one has it and the other has not. */
export interface Difference {
  /** `scenario › step › ok.status` */
  at: string;
  plain?: JsonValue;
  reelkit?: JsonValue;
}

export function differencesOf(plain: Trace, reelkit: Trace): Difference[] {
  const scenarios = new Set([...Object.keys(plain), ...Object.keys(reelkit)]);
  return [...scenarios].flatMap((scenario) => {
    const [one, other] = [plain[scenario] ?? {}, reelkit[scenario] ?? {}];
    const steps = new Set([...Object.keys(one), ...Object.keys(other)]);
    return [...steps].flatMap((step) => leavesOf(one[step], other[step], `${scenario} › ${step}`));
  });
}

function leavesOf(plain: JsonValue | undefined, reelkit: JsonValue | undefined, at: string): Difference[] {
  if (isObject(plain) && isObject(reelkit)) {
    const keys = new Set([...Object.keys(plain), ...Object.keys(reelkit)]);
    return [...keys].flatMap((key) => leavesOf(plain[key], reelkit[key], `${at}.${key}`));
  }
  if (JSON.stringify(plain) === JSON.stringify(reelkit)) return [];
  return [{ at, ...(plain === undefined ? {} : { plain }), ...(reelkit === undefined ? {} : { reelkit }) }];
}

/** Lists too, by their index. */
function isObject(value: JsonValue | undefined): value is { [key: string]: JsonValue } {
  return value !== null && typeof value === 'object';
}
