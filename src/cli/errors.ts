// How a command fails: what is said on stderr, and the exit code. 1: it failed. 2: it was called wrongly.

export class CliError extends Error {
  readonly exitCode: 1 | 2;
  /** One line each: what to do now. */
  readonly remedies: string[];

  constructor(message: string, remedies: string[] = [], exitCode: 1 | 2 = 1) {
    super(message);
    this.name = 'CliError';
    this.exitCode = exitCode;
    this.remedies = remedies;
  }
}

export function usageError(message: string, ...remedies: string[]): CliError {
  return new CliError(message, remedies, 2);
}

/** Prints what a person needs; a stack only for what nobody expected. @returns the exit code */
export function reportFailure(error: unknown, write: (text: string) => void): number {
  if (error instanceof CliError) {
    write(`reelkit: ${error.message}\n${error.remedies.map((remedy) => `  -> ${remedy}\n`).join('')}`);
    return error.exitCode;
  }
  if (error instanceof Error && error.name === 'ConfigError') {
    write(`reelkit: ${error.message}\n`);
    return 2;
  }
  write(`reelkit: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return 1;
}
