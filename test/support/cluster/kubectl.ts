// Runs kubectl, and says what it said when it fails.
import { execa } from 'execa';

/** @param cacheFolder keeps what kubectl learns about this server apart from what it learned about one on the same port */
export async function runKubectl(
  bin: string,
  args: readonly string[],
  cacheFolder: string,
  stdin?: string,
): Promise<string> {
  const { exitCode, stdout, stderr, shortMessage } = await execa(bin, args, {
    reject: false,
    env: { KUBECACHEDIR: cacheFolder },
    ...(stdin === undefined ? { stdin: 'ignore' } : { input: stdin }),
  });
  if (exitCode === 0) return stdout;
  const shown = args.filter((arg) => !arg.startsWith('--kubeconfig=')).join(' ');
  throw new Error(`kubectl ${shown}: ${stderr || shortMessage}`);
}
