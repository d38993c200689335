// A request that every worker would refuse, in the worker's own words. Texts quote URLs without their keys.
import { redactUrl } from './redact.ts';

export interface Refusal {
  /** psrpc's. */
  code: 'invalid_argument';
  message: string;
}

/** Thrown inside this folder only: `refusalOf` hands it out as a value. */
export class Refused extends Error implements Refusal {
  readonly code = 'invalid_argument';
}

export function invalidField(name: string): Refused {
  return new Refused(`request has missing or invalid field: ${name}`);
}

export function invalidUrl(url: string, reason: string): Refused {
  return new Refused(`invalid url ${redactUrl(url)}: ${reason}`);
}
