// The one place where src/dev/ writes to the terminal: whole lines to stdout or stderr.
// It does not format, colour or decide; callers hand it finished lines.

export type Report = (line: string) => void;

export const reportToStdout: Report = (line) => {
  process.stdout.write(`${line}\n`);
};

export const reportToStderr: Report = (line) => {
  process.stderr.write(`${line}\n`);
};

export const reportNothing: Report = () => {};
