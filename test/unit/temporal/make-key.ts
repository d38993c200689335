// A process that starts at a given moment with nothing but a key file's name: prints the key's id and whether it made it.
import { loadKeyring } from '../../../src/temporal/keys.ts';

const [file = '', atMs = '0'] = process.argv.slice(2);
while (Date.now() < Number(atMs));
const { keys, from } = loadKeyring({ keyFile: file }, {});
process.stdout.write(JSON.stringify({ id: keys[0].id, created: 'created' in from && from.created }));
